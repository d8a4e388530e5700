//! The binary: everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A mail is some hundred small allocations, freed by another thread than made them: glibc's allocator took a sixth of
/// the CPU time of ordinary mail (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    zegel::cli::run()
}
