//! What fanotify says, as bytes: one notice, and what it names. Pure.
//!
//! ```text
//! | length, version, mask, fd, pid | record: type, length, fsid, handle, name | record … |      fanotify(7)
//! ```

use super::bytes::{signed, unsigned, wide};

/// A directory entry: the handle of the directory, as it came, and a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) directory: &'a [u8],
    pub(super) name: &'a [u8],
}

/// A notice. Of a rename `entry` is the old name and `to` the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Notice<'a> {
    pub(super) mask: u64,
    pub(super) pid: i32,
    pub(super) entry: Option<Entry<'a>>,
    pub(super) to: Option<Entry<'a>>,
    /// The handle of the file itself.
    pub(super) file: Option<&'a [u8]>,
}

const METADATA: usize = 24;
const RECORD: usize = 4;
/// The file system's number and, after it, length and type of a handle.
const FSID: usize = 8;
const HANDLE: usize = 8;

/// All notices of what one read brought.
pub(super) fn notices(bytes: &[u8]) -> impl Iterator<Item = Notice<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = unsigned(rest, 0)? as usize;
        let notice = rest.get(..length).filter(|notice| notice.len() >= METADATA)?;
        rest = &rest[length..];
        let begin = usize::from(u16::from_ne_bytes([notice[6], notice[7]]));
        let mut found = Notice { mask: wide(notice, 8)?, pid: signed(notice, 20)?, ..Notice::default() };
        let mut records = notice.get(begin..)?;
        while let Some(record) = next_record(&mut records) {
            found.add(record);
        }
        Some(found)
    })
}

fn next_record<'a>(records: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_ne_bytes([*records.get(2)?, *records.get(3)?]));
    let record = records.get(..length).filter(|record| record.len() >= RECORD)?;
    *records = &records[length..];
    Some(record)
}

impl<'a> Notice<'a> {
    fn add(&mut self, record: &'a [u8]) {
        let body = &record[RECORD..];
        let Some(length) = unsigned(body, FSID) else { return };
        let Some(end) = (FSID + HANDLE).checked_add(length as usize) else { return };
        let Some(handle) = body.get(FSID..end) else { return };
        let name = body[end..].split(|byte| *byte == 0).next().unwrap_or_default();
        let entry = Some(Entry { directory: handle, name });
        match record[0] {
            libc::FAN_EVENT_INFO_TYPE_FID => self.file = Some(handle),
            libc::FAN_EVENT_INFO_TYPE_DFID_NAME | libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME => self.entry = entry,
            libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME => self.to = entry,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, handle: &[u8], name: &[u8]) -> Vec<u8> {
        let mut body = vec![9; FSID];
        body.extend((handle.len() as u32).to_ne_bytes());
        body.extend(1_i32.to_ne_bytes());
        body.extend(handle);
        body.extend(name);
        body.resize(body.len().next_multiple_of(4), 0);
        let mut record = vec![kind, 0];
        record.extend((body.len() as u16 + 4).to_ne_bytes());
        record.extend(body);
        record
    }

    fn notice(mask: u64, pid: i32, records: &[Vec<u8>]) -> Vec<u8> {
        let records = records.concat();
        let mut bytes = ((METADATA + records.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend([3, 0]);
        bytes.extend((METADATA as u16).to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend((-1_i32).to_ne_bytes());
        bytes.extend(pid.to_ne_bytes());
        bytes.extend(records);
        bytes
    }

    #[test]
    fn entries_are_found_and_what_is_cut_is_left_out() {
        let made = record(libc::FAN_EVENT_INFO_TYPE_DFID_NAME, b"dirs", b"lock\0");
        let file = record(libc::FAN_EVENT_INFO_TYPE_FID, b"file", b"");
        let old = record(libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, b"olds", b"a\0");
        let new = record(libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, b"news", b"b\0");
        let mut bytes = notice(libc::FAN_CREATE, 7, &[made, file]);
        bytes.extend(notice(libc::FAN_RENAME, 8, &[old, new]));
        bytes.extend(notice(libc::FAN_Q_OVERFLOW, 0, &[]));
        let found: Vec<Notice<'_>> = notices(&bytes).collect();
        let entry = |entry: Option<Entry<'_>>| entry.map(|entry| String::from_utf8_lossy(entry.name).into_owned());
        assert_eq!((found[0].mask, found[0].pid, entry(found[0].entry)), (libc::FAN_CREATE, 7, Some("lock".into())));
        assert!(found[0].file.is_some_and(|file| file.ends_with(b"file")));
        assert_eq!((entry(found[1].entry), entry(found[1].to)), (Some("a".into()), Some("b".into())));
        assert_eq!((found.len(), found[2].mask, found[2].entry), (3, libc::FAN_Q_OVERFLOW, None));
        for end in 0..bytes.len() {
            assert!(notices(&bytes[..end]).count() <= 3, "cut at {end}");
        }
    }
}
