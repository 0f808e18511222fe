//! The stand-in for `fsync` (`fsync.c`): built here, loaded into this very program by starting it once more.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, exit};
use std::time::Duration;

/// Names the file through which the shim counts and is told how long a sync takes.
const VARIABLE: &str = "RATIOS_SYNC";

/// The shim, loaded into this process and its children.
#[derive(Debug)]
pub(crate) struct Shim(std::fs::File);

impl Shim {
    /// The shim this process was started with.
    pub(crate) fn loaded() -> Option<Self> {
        let name = std::env::var_os(VARIABLE)?;
        std::fs::File::options().read(true).write(true).open(name).ok().map(Shim)
    }

    /// Starts this program again with the shim loaded, and ends as it does. Returns why that could not be.
    pub(crate) fn start_again(folder: &Path) -> String {
        let (library, shared) = (folder.join("fsync.so"), folder.join("fsync.shared"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ratios/fsync.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).status();
        match built {
            Ok(status) if status.success() => {}
            Ok(status) => return format!("cc ended with {status}"),
            Err(error) => return format!("no C compiler: {error}"),
        }
        std::fs::write(&shared, [0; 16]).unwrap();
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(std::env::args_os().skip(1)).env("LD_PRELOAD", &library).env(VARIABLE, &shared);
        let status = again.status().unwrap();
        // The folder is temporary, and `exit` drops nothing.
        let _ = std::fs::remove_dir_all(folder);
        exit(status.code().unwrap_or(1))
    }

    /// How long each sync takes from now on, in all processes.
    pub(crate) fn set_length(&self, length: Duration) {
        let nanoseconds = u64::try_from(length.as_nanos()).unwrap();
        let mut file = &self.0;
        file.seek(SeekFrom::Start(8)).unwrap();
        file.write_all(&nanoseconds.to_ne_bytes()).unwrap();
    }

    /// How many syncs there have been, in all processes.
    pub(crate) fn count(&self) -> u64 {
        let mut bytes = [0; 8];
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_exact(&mut bytes).unwrap();
        u64::from_ne_bytes(bytes)
    }
}
