//! What may become of our memory: no core file holds it, and no other process of the same user looks into it (C26).
//! Called first of all by `cli`, before a key is read. Swap is for the service unit to forbid (`MemorySwapMax=0`):
//! locking all memory would keep what is free, and would fail where the limit for it is low.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From now on, for good.
pub fn keep_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A handler that the kernel pipes core files to does not care about the limit; but about this.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
