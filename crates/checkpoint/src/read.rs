//! Reading a checkpoint: verified whole first, then entry by entry.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{
    CheckpointError,
    error::io_error,
    format::{
        BUFFER_BYTES, END_OF_ENTRIES, MAGIC, MAX_ENTRY_BYTES, MAX_TRAILER_BYTES, TAIL_BYTES,
        VERSION,
    },
};

/// A sealed checkpoint whose checksum is right.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    file: BufReader<File>,
    rules: String,
    positions: Vec<(String, u64)>,
    entries: u64,
    entries_left: u64,
    /// Checksum of what was read again so far, and what it must come to: a file must not change between the two readings.
    sum: crc32fast::Hasher,
    expected_sum: u32,
    buffer: Vec<u8>,
}

impl Checkpoint {
    /// Opens and verifies the file at `path`, which is to be of `partition` of `log`.
    pub(crate) fn open(path: &Path, log: &str, partition: u32) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let verified = verify(&mut file, path)?;
        let (positions, entries) = parse_trailer(&verified.trailer)
            .ok_or_else(|| damaged(path, "its trailer cannot be read"))?;
        file.seek(SeekFrom::Start(0))
            .map_err(io_error("read", path))?;
        let mut checkpoint = Self {
            path: path.to_owned(),
            file,
            rules: String::new(),
            positions,
            entries,
            entries_left: entries,
            sum: crc32fast::Hasher::new(),
            expected_sum: verified.content_sum,
            buffer: Vec::new(),
        };
        checkpoint.read_header(log, partition)?;
        Ok(checkpoint)
    }

    /// The version of whatever made the entries.
    pub fn rules(&self) -> &str {
        &self.rules
    }

    /// The position called `name`, if it has one.
    pub fn position(&self, name: &str) -> Option<u64> {
        self.positions
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, position)| *position)
    }

    /// The number of entries.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The next entry; `None` after the last, which also says that the file was still the one that was verified.
    pub fn next_entry(&mut self) -> Result<Option<&[u8]>, CheckpointError> {
        let length = self.read_u32()?;
        if length == END_OF_ENTRIES {
            let whole = self.entries_left == 0 && self.sum.clone().finalize() == self.expected_sum;
            // Stay at the end: a further call gives `None` again.
            self.file
                .seek_relative(-4)
                .map_err(io_error("read", &self.path))?;
            return if whole { Ok(None) } else { Err(self.changed()) };
        }
        let length = length as usize;
        if length > MAX_ENTRY_BYTES || self.entries_left == 0 {
            return Err(self.changed());
        }
        self.sum
            .update(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.read_into_buffer(length)?;
        self.entries_left -= 1;
        Ok(Some(&self.buffer))
    }

    fn read_header(&mut self, log: &str, partition: u32) -> Result<(), CheckpointError> {
        self.read_into_buffer(MAGIC.len())?;
        if self.buffer != MAGIC {
            return Err(damaged(&self.path, "it does not begin as a checkpoint"));
        }
        let version = self.read_u16()?;
        if version != VERSION {
            return Err(CheckpointError::UnknownVersion {
                path: self.path.clone(),
                version,
            });
        }
        let length = self.read_u16()?;
        self.read_into_buffer(usize::from(length))?;
        self.rules = String::from_utf8(self.buffer.clone())
            .map_err(|_| damaged(&self.path, "its rules version is not text"))?;
        let length = self.read_u16()?;
        self.read_into_buffer(usize::from(length))?;
        if self.buffer != log.as_bytes() {
            return Err(self.foreign("log"));
        }
        self.read_into_buffer(size_of_val(&partition))?;
        if self.buffer != partition.to_le_bytes() {
            return Err(self.foreign("partition"));
        }
        Ok(())
    }

    fn foreign(&self, what: &'static str) -> CheckpointError {
        CheckpointError::Foreign {
            path: self.path.clone(),
            what,
        }
    }

    fn read_u16(&mut self) -> Result<u16, CheckpointError> {
        let mut bytes = [0; 2];
        self.file
            .read_exact(&mut bytes)
            .map_err(|_| self.changed())?;
        self.sum.update(&bytes);
        Ok(u16::from_le_bytes(bytes))
    }

    /// Reads a length. It counts towards the checksum only if it is one of an entry, which the caller knows.
    fn read_u32(&mut self) -> Result<u32, CheckpointError> {
        let mut bytes = [0; 4];
        self.file
            .read_exact(&mut bytes)
            .map_err(|_| self.changed())?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn read_into_buffer(&mut self, length: usize) -> Result<(), CheckpointError> {
        self.buffer.resize(length, 0);
        self.file
            .read_exact(&mut self.buffer)
            .map_err(|_| self.changed())?;
        self.sum.update(&self.buffer);
        Ok(())
    }

    fn changed(&self) -> CheckpointError {
        damaged(&self.path, "it is not what was verified a moment ago")
    }
}

/// What verification leaves to know.
struct Verified {
    trailer: Vec<u8>,
    /// Checksum of everything before the trailer.
    content_sum: u32,
}

/// Reads the whole file and compares its checksum.
fn verify(file: &mut BufReader<File>, path: &Path) -> Result<Verified, CheckpointError> {
    let read = |error| io_error("read", path)(error);
    let size = file.seek(SeekFrom::End(0)).map_err(read)?;
    let Some(tail_at) = size.checked_sub(TAIL_BYTES) else {
        return Err(damaged(path, "it is too short"));
    };
    file.seek(SeekFrom::Start(tail_at)).map_err(read)?;
    let (mut length, mut stated) = ([0; 4], [0; 4]);
    file.read_exact(&mut length).map_err(read)?;
    file.read_exact(&mut stated).map_err(read)?;
    let trailer_bytes = u64::from(u32::from_le_bytes(length));
    if trailer_bytes > MAX_TRAILER_BYTES || trailer_bytes > tail_at {
        return Err(damaged(path, "the length of its trailer cannot be right"));
    }

    file.seek(SeekFrom::Start(0)).map_err(read)?;
    let mut sum = crc32fast::Hasher::new();
    let mut content = file.by_ref().take(tail_at - trailer_bytes);
    sum_up(&mut content, &mut sum).map_err(read)?;
    let content_sum = sum.clone().finalize();
    let mut trailer = Vec::new();
    file.by_ref()
        .take(trailer_bytes)
        .read_to_end(&mut trailer)
        .map_err(read)?;
    sum.update(&trailer);
    sum.update(&length);
    if sum.finalize() != u32::from_le_bytes(stated) {
        return Err(damaged(path, "its checksum differs"));
    }
    Ok(Verified {
        trailer,
        content_sum,
    })
}

fn sum_up(content: &mut impl Read, sum: &mut crc32fast::Hasher) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => sum.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The positions and the number of entries.
fn parse_trailer(mut rest: &[u8]) -> Option<(Vec<(String, u64)>, u64)> {
    if u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?) != END_OF_ENTRIES {
        return None;
    }
    let count = *rest.split_off_first()?;
    let mut positions = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let length = *rest.split_off_first()?;
        let name = std::str::from_utf8(rest.split_off(..usize::from(length))?).ok()?;
        let position = u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?);
        positions.push((name.to_owned(), position));
    }
    let entries = u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?);
    rest.is_empty().then_some((positions, entries))
}

fn damaged(path: &Path, problem: &'static str) -> CheckpointError {
    CheckpointError::Damaged {
        path: path.to_owned(),
        problem,
    }
}
