//! SQLite's functions for memory, before its own.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::OnceLock;

use rusqlite::ffi;

use crate::plan::Part;

/// A table of functions without data.
struct Own(ffi::sqlite3_mem_methods);

// SAFETY: `pAppData` of SQLite's own functions is null; they may be called from any thread.
unsafe impl Send for Own {}
// SAFETY: as above.
unsafe impl Sync for Own {}

static OWN: OnceLock<Own> = OnceLock::new();

fn own() -> &'static ffi::sqlite3_mem_methods {
    &OWN.get().expect("installed").0
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    if Part::refuses_memory() {
        return null_mut();
    }
    // SAFETY: SQLite's own function, called as SQLite calls it.
    unsafe { own().xMalloc.expect("SQLite has it")(bytes) }
}

unsafe extern "C" fn realloc(old: *mut c_void, bytes: c_int) -> *mut c_void {
    if Part::refuses_memory() {
        return null_mut();
    }
    // SAFETY: as above.
    unsafe { own().xRealloc.expect("SQLite has it")(old, bytes) }
}

pub(crate) fn install() {
    let mut methods = MaybeUninit::<ffi::sqlite3_mem_methods>::uninit();
    // SAFETY: SQLite fills the table, and copies the changed one, before it is used for anything else.
    unsafe {
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, methods.as_mut_ptr()), ffi::SQLITE_OK);
        let own = methods.assume_init();
        let mut ours = own;
        OWN.get_or_init(|| Own(own));
        ours.xMalloc = Some(malloc);
        ours.xRealloc = Some(realloc);
        assert_eq!(ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw mut ours), ffi::SQLITE_OK, "already in use");
    }
}
