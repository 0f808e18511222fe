//! SQLite's functions for files, before its own. A file of which no plan is made is SQLite's own altogether.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use crate::plan::{Call, Part};

/// The functions of SQLite's own.
static OWN: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(null_mut());

/// A file with a plan. SQLite's own stands right behind it in memory.
#[repr(C)]
struct File {
    seen: sqlite3_file,
    part: *const Part,
    own: *mut sqlite3_file,
}

/// Bytes of it, so that what follows is aligned.
const SIZE: usize = size_of::<File>().next_multiple_of(16);

/// Calls a function of SQLite's own file.
macro_rules! own {
    ($file:expr, $function:ident $(, $argument:expr)*) => {{
        let own = (*$file.cast::<File>()).own;
        (*(*own).pMethods).$function.expect("SQLite has it")(own $(, $argument)*)
    }};
}

/// A function of a file that fails when its plan says so.
macro_rules! may_fail {
    ($name:ident, $function:ident, $call:expr $(, $argument:ident: $type:ty)*) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: SQLite passes a file that `open` has filled in.
            unsafe {
                match (*(*file.cast::<File>()).part).fails($call) {
                    Some((_, code)) => code,
                    None => own!(file, $function $(, $argument)*),
                }
            }
        }
    };
}

/// A function of a file that is passed on.
macro_rules! passed_on {
    ($name:ident, $function:ident $(, $argument:ident: $type:ty)*) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: SQLite passes a file that `open` has filled in.
            unsafe { own!(file, $function $(, $argument)*) }
        }
    };
}

may_fail!(read, xRead, Call::Read, to: *mut c_void, bytes: c_int, at: sqlite3_int64);
may_fail!(truncate, xTruncate, Call::Truncate, length: sqlite3_int64);
may_fail!(sync, xSync, Call::Sync, flags: c_int);
may_fail!(file_size, xFileSize, Call::Size, size: *mut sqlite3_int64);
may_fail!(lock, xLock, Call::Lock, level: c_int);
may_fail!(shm_map, xShmMap, Call::ShmMap, page: c_int, bytes: c_int, extend: c_int, to: *mut *mut c_void);
passed_on!(unlock, xUnlock, level: c_int);
passed_on!(check_reserved_lock, xCheckReservedLock, to: *mut c_int);
passed_on!(file_control, xFileControl, what: c_int, argument: *mut c_void);
passed_on!(sector_size, xSectorSize);
passed_on!(device_characteristics, xDeviceCharacteristics);
passed_on!(shm_unmap, xShmUnmap, delete: c_int);
passed_on!(fetch, xFetch, at: sqlite3_int64, bytes: c_int, to: *mut *mut c_void);
passed_on!(unfetch, xUnfetch, at: sqlite3_int64, page: *mut c_void);

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite passes a file that `open` has filled in.
    unsafe { own!(file, xShmBarrier) }
}

/// A part of a write that fails may be done.
unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, bytes: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a file that `open` has filled in.
    unsafe {
        let Some((kind, code)) = (*(*file.cast::<File>()).part).fails(Call::Write) else {
            return own!(file, xWrite, from, bytes, at);
        };
        let done = kind.written(bytes);
        if done > 0 {
            let _ = own!(file, xWrite, from, done, at);
        }
        code
    }
}

/// That a lock is given back never fails: no system is known in which it does.
unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite passes a file that `open` has filled in.
    unsafe {
        let asked = flags & ffi::SQLITE_SHM_LOCK != 0;
        let fails = if asked { (*(*file.cast::<File>()).part).fails(Call::ShmLock) } else { None };
        match fails {
            Some((_, code)) => code,
            None => own!(file, xShmLock, first, count, flags),
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite passes a file that `open` has filled in, for the last time: the plan is given back.
    unsafe {
        let code = own!(file, xClose);
        drop(Arc::from_raw((*file.cast::<File>()).part));
        code
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

/// The plan of a name; SQLite's temporary files have no name.
unsafe fn part_of(name: *const c_char) -> Option<Arc<Part>> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    Part::of_file(Path::new(name.to_str().ok()?))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let own = OWN.load(Ordering::Acquire);
    // SAFETY: SQLite gives room for `szOsFile` bytes, which are ours and those of its own file behind it.
    unsafe {
        let open = (*own).xOpen.expect("SQLite has it");
        let Some(part) = part_of(name) else { return open(own, name, file, flags, flags_out) };
        (*file).pMethods = null();
        if let Some((_, code)) = part.fails(Call::Open) {
            return code;
        }
        let behind = file.cast::<u8>().add(SIZE).cast::<sqlite3_file>();
        (*behind).pMethods = null();
        let code = open(own, name, behind, flags, flags_out);
        if !(*behind).pMethods.is_null() {
            (*file.cast::<File>()).part = Arc::into_raw(part);
            (*file.cast::<File>()).own = behind;
            (*file).pMethods = &raw const METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let own = OWN.load(Ordering::Acquire);
    // SAFETY: as SQLite calls it.
    unsafe {
        match part_of(name).and_then(|part| part.fails(Call::Delete)) {
            Some((_, code)) => code,
            None => (*own).xDelete.expect("SQLite has it")(own, name, sync),
        }
    }
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, to: *mut c_int) -> c_int {
    let own = OWN.load(Ordering::Acquire);
    // SAFETY: as SQLite calls it.
    unsafe {
        match part_of(name).and_then(|part| part.fails(Call::Access)) {
            Some((_, code)) => code,
            None => (*own).xAccess.expect("SQLite has it")(own, name, flags, to),
        }
    }
}

pub(crate) fn install() {
    // SAFETY: the functions without a path are SQLite's own, which look at nothing in the table they are called by.
    unsafe {
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        let own = ffi::sqlite3_vfs_find(null());
        OWN.store(own, Ordering::Release);
        let ours = Box::new(sqlite3_vfs {
            szOsFile: (*own).szOsFile + c_int::try_from(SIZE).expect("small"),
            pNext: null_mut(),
            zName: c"faults".as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            ..*own
        });
        // For as long as the process lives.
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(ours), 1), ffi::SQLITE_OK);
    }
}
