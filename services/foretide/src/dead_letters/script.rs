//! The script that sets a record right: any command that reads the content on its standard input and writes another.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, bail};
use foretide_ports::MAX_RECORD_BYTES;
use foretide_processor::dead_letter::DeadLetter;

/// How much of what a script complains of is told, in bytes.
const COMPLAINT_BYTES: usize = 500;

/// What `script` makes of `content`. The shell runs it, with the letter's cause in `DEAD_LETTER_CAUSE`, its key in
/// `DEAD_LETTER_KEY` and the time at which the record was appended in `DEAD_LETTER_APPENDED_AT`.
pub(super) fn run(script: &str, letter: &DeadLetter, content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = String::from_utf8_lossy(&letter.key).replace('\0', "");
    let mut child = Command::new("sh")
        .args(["-c", script])
        .env("DEAD_LETTER_CAUSE", &letter.cause)
        .env("DEAD_LETTER_KEY", key)
        .env("DEAD_LETTER_APPENDED_AT", letter.appended_at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running the script (--fix)")?;
    let input = child.stdin.take();
    let mut errors = child.stderr.take();
    let output = child.stdout.take();
    let (mut corrected, mut complaint) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        // Each in its own thread: who writes before all is read, or complains at length, must not wait for ever. A script that
        // does not read its input is right to.
        scope.spawn(move || input.map(|mut input| input.write_all(content)));
        scope.spawn(|| {
            errors
                .as_mut()
                .map(|errors| errors.read_to_end(&mut complaint))
        });
        let limit = MAX_RECORD_BYTES as u64 + 1;
        output.map(|output| output.take(limit).read_to_end(&mut corrected))
    })
    .transpose()
    .context("reading what the script writes (--fix)")?;
    let status = child.wait().context("waiting for the script (--fix)")?;
    let complaint = String::from_utf8_lossy(&complaint);
    let complaint = complaint.trim();
    let complaint = &complaint[..complaint.floor_char_boundary(COMPLAINT_BYTES)];
    if corrected.len() > MAX_RECORD_BYTES {
        bail!("the script wrote more than the {MAX_RECORD_BYTES} bytes of a record");
    }
    if !status.success() {
        bail!("the script failed ({status}): {complaint}");
    }
    if corrected.trim_ascii().is_empty() {
        bail!("the script wrote nothing: {complaint}");
    }
    Ok(corrected.trim_ascii().to_vec())
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;

    use super::*;

    fn ran(script: &str, content: &[u8]) -> Result<String, String> {
        let letter = DeadLetter {
            origin: "3/12".parse().unwrap(),
            appended_at: EpochMs(0),
            cause: "not_an_event".to_owned(),
            message: String::new(),
            key: b"k".to_vec(),
            payload: None,
            cut_from: None,
        };
        run(script, &letter, content)
            .map(|made| String::from_utf8(made).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_script_reads_the_content_and_writes_another() {
        assert_eq!(ran("tr a b", b"banana\n"), Ok("bbnbnb".to_owned()));
        assert_eq!(
            ran(
                "echo $DEAD_LETTER_CAUSE $DEAD_LETTER_KEY $DEAD_LETTER_APPENDED_AT",
                b""
            ),
            Ok("not_an_event k 1970-01-01T00:00:00.000Z".to_owned())
        );
        let long = "x".repeat(900_000);
        assert_eq!(
            ran("cat", long.as_bytes()),
            Ok(long.clone()),
            "more than a pipe holds"
        );
        assert_eq!(
            ran("echo y", long.as_bytes()),
            Ok("y".to_owned()),
            "its input unread"
        );
    }

    #[test]
    fn a_script_that_fails_or_says_nothing_is_told_of() {
        let failed = ran("echo oh no >&2; exit 3", b"").unwrap_err();
        assert!(failed.contains('3') && failed.contains("oh no"), "{failed}");
        assert!(ran("true", b"x").unwrap_err().contains("wrote nothing"));
        assert!(
            ran("head -c 2000000 /dev/zero", b"x")
                .unwrap_err()
                .contains("more than")
        );
    }
}
