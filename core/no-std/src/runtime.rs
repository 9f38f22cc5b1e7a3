//! What a program needs from its surroundings when there is no `std`: memory, and an end for panics.
//!
//! This is the only `unsafe` code of the project. An allocator cannot be written without it, and the names that the
//! linker asks for cannot be defined without it.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    panic::PanicInfo,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

const ARENA_BYTES: usize = 16 << 20;

/// Hands out memory from front to back and takes none back. Enough for a program that lives for a moment.
struct Arena {
    bytes: UnsafeCell<[u8; ARENA_BYTES]>,
    used: AtomicUsize,
}

#[global_allocator]
static ARENA: Arena = Arena {
    bytes: UnsafeCell::new([0; ARENA_BYTES]),
    used: AtomicUsize::new(0),
};

// SAFETY: `used` only grows, by compare and swap, so no two callers get the same bytes.
unsafe impl Sync for Arena {}

// SAFETY: what `alloc` returns is null, or lies in the arena, is aligned, as long as asked for, and handed out once.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.bytes.get().cast::<u8>();
        let place = |used: usize| {
            let start = used + base.wrapping_add(used).align_offset(layout.align());
            let end = start.checked_add(layout.size())?;
            (end <= ARENA_BYTES).then_some((start, end))
        };
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(place(used)?.1)
            });
        match taken.ok().and_then(place) {
            Some((start, _)) => base.wrapping_add(start),
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// `std` has one of these too, and a program may have only one: so linking is the proof that `std` is nowhere in it.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: takes nothing, never returns.
    unsafe { abort() }
}

/// The precompiled `alloc` names the functions that unwind through it. Panics abort here, so nobody calls them.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// See [`rust_eh_personality`].
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: takes nothing, never returns.
    unsafe { abort() }
}

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}
