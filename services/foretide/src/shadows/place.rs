//! Where shadows are kept.

use std::path::PathBuf;

use clap::Args;
use foretide_processor::replay::shadow::Shadows;

/// In the data directory.
const FOLDER: &str = "shadows";

/// Where shadows are, for a command that has a log.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShadowDir {
    /// The directory that shadows are kept in; `shadows` in the data directory by default
    #[arg(long, env = "FORETIDE_SHADOW_DIR", value_name = "DIR")]
    shadow_dir: Option<PathBuf>,
}

impl ShadowDir {
    /// The shadows there; nothing where neither it nor a data directory was given.
    pub(crate) fn shadows(&self, data_dir: Option<PathBuf>) -> Option<Shadows> {
        let in_data = || data_dir.map(|dir| dir.join(FOLDER));
        self.shadow_dir
            .clone()
            .or_else(in_data)
            .map(Shadows::within)
    }
}

/// What is wrong where no directory was given.
pub(crate) const NOWHERE: &str = "--shadow-dir (FORETIDE_SHADOW_DIR) must be given, or --data-dir, in which shadows are kept \
     then: on this machine, for nothing of a shadow is ever on the log";

/// Where shadows are, for a command that needs no log.
#[derive(Args, Clone, Debug)]
pub(crate) struct Kept {
    /// The data directory, whose folder `shadows` is looked into
    #[arg(long, env = "FORETIDE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    #[command(flatten)]
    dir: ShadowDir,
}

impl Kept {
    /// The shadows there.
    pub(crate) fn shadows(&self) -> Option<Shadows> {
        self.dir.shadows(self.data_dir.clone())
    }

    /// What is wrong.
    pub(crate) fn faults(&self) -> Vec<String> {
        let nowhere = self.shadows().is_none();
        nowhere.then(|| NOWHERE.to_owned()).into_iter().collect()
    }
}
