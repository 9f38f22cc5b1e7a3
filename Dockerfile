# The broker in a container: built as a release, run by a user without rights.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked --package sanderling

FROM debian:bookworm-slim
RUN useradd --system --no-create-home sanderling
COPY --from=build /source/target/dist/sanderling /usr/local/bin/sanderling
USER sanderling
EXPOSE 1883 8080 8081 8082
ENTRYPOINT ["sanderling"]
# Inside a container loopback reaches nobody. Which ports others reach is said where the container is started.
CMD ["--listen", "0.0.0.0:1883", "--listen", "ws://0.0.0.0:8080/ws", "--management", "0.0.0.0:8081", \
    "--metrics", "0.0.0.0:8082", "--log", "json"]
