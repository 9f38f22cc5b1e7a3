//! `sanderling-bench`: the load generator as a command.

fn main() -> std::process::ExitCode {
    sanderling_bench::main()
}
