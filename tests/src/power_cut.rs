//! The file layer that can lose power (`tests/fault/power_cut.c`), put under a server.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{project_root, server::Server};

/// Builds the layer once and returns the library to preload.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library =
            std::env::temp_dir().join(format!("foretide-power-cut-{}.so", std::process::id()));
        let source = project_root().join("tests/fault/power_cut.c");
        let build = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .status();
        assert!(build.unwrap().success(), "the file layer does not compile");
        library
    })
}

/// What the layer does to syncs and to unsynced bytes.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// `none` or `half`: what survives of unsynced bytes.
    pub keep: &'static str,
    /// `true`, `lie` or `fail`: what a sync does.
    pub sync: &'static str,
}

/// Puts the layer under a server that has not started yet.
pub fn under(server: Server, behaviour: Behaviour) -> Server {
    let directory = server.directory().to_str().unwrap().to_owned();
    server
        .with_env("LD_PRELOAD", library().to_str().unwrap())
        .with_env("POWER_CUT_DIR", &format!("{directory}/data"))
        .with_env("POWER_CUT_TRIGGER", &format!("{directory}/cut"))
        .with_env("POWER_CUT_KEEP", behaviour.keep)
        .with_env("POWER_CUT_SYNC", behaviour.sync)
}

/// Cuts the power and waits for the end of the process. The next start runs with power again.
pub fn cut(server: &mut Server) {
    let trigger = server.directory().join("cut");
    File::create(&trigger).unwrap();
    assert!(!server.wait_end(), "the power cut did not reach the server");
    std::fs::remove_file(trigger).unwrap();
}

/// From now on every sync fails (for the behaviour `fail`).
pub fn fail_syncs(server: &Server) {
    File::create(server.directory().join("cut.fail")).unwrap();
}
