//! What the kernel says an event looks like (`events/GROUP/NAME/format`), and the fields of one by it.
//!
//! ```text
//! field:unsigned short common_type;   offset:0;   size:2;   signed:0;
//! field:__data_loc char[] filename;   offset:8;   size:4;   signed:0;      length << 16 | where the text is
//! ```

use std::collections::BTreeMap;

/// Where a field lies in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    offset: usize,
    size: usize,
    sign: Sign,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Here,
    /// The field says where: behind the others.
    Elsewhere,
}

/// The shape of one kind of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Its number in this boot.
    pub(super) id: u16,
    /// `group/name`.
    pub(super) name: String,
    fields: BTreeMap<String, Field>,
}

impl Layout {
    /// `None` when the text is not as documented.
    pub(super) fn parse(name: &str, text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID: "))?.trim().parse().ok()?;
        let fields = text.lines().filter_map(|line| field(line.trim().strip_prefix("field:")?)).collect();
        Some(Self { id, name: name.to_owned(), fields })
    }

    /// The fields of one event of this shape.
    pub(super) fn of<'a>(&'a self, bytes: &'a [u8]) -> Fields<'a> {
        Fields { layout: self, bytes }
    }
}

fn field(line: &str) -> Option<(String, Field)> {
    let mut parts = line.split(';').map(str::trim);
    let declaration = parts.next()?;
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse::<usize>().ok();
    let (offset, size) = (number("offset:")?, number("size:")?);
    let sign = if number("signed:") == Some(1) { Sign::Signed } else { Sign::Unsigned };
    let place = if declaration.starts_with("__data_loc") { Place::Elsewhere } else { Place::Here };
    let name = declaration.rsplit(' ').next()?.split('[').next()?.trim_start_matches('*');
    Some((name.to_owned(), Field { offset, size, sign, place }))
}

/// One event. A field that is not there, or lies outside of the event, is `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The bytes of a field.
    pub(super) fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        let field = self.layout.fields.get(name)?;
        let here = self.bytes.get(field.offset..field.offset.checked_add(field.size)?)?;
        if field.place == Place::Here {
            return Some(here);
        }
        let word = u32::from_ne_bytes(here.try_into().ok()?);
        let (at, len) = ((word & 0xffff) as usize, (word >> 16) as usize);
        self.bytes.get(at..at.checked_add(len)?)
    }

    /// A number of up to eight bytes, its sign kept.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let field = self.layout.fields.get(name)?;
        let bytes = self.bytes(name)?;
        let mut word = [0; 8];
        // Little endian: what is on other machines is not started at all.
        word.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let unused = 64 - 8 * bytes.len() as u32;
        let raw = i64::from_le_bytes(word).checked_shl(unused)?;
        Some(match field.sign {
            Sign::Signed => raw >> unused,
            Sign::Unsigned => ((raw as u64) >> unused) as i64,
        })
    }

    /// A text that ends at its first NUL.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let bytes = self.bytes(name)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        Some(crate::observe::printable(&bytes[..end]))
    }

    /// All fields of its own, as `name=value`.
    pub(super) fn all(&self) -> String {
        let own = self.layout.fields.keys().filter(|name| !name.starts_with("common_"));
        let words = own.filter_map(|name| Some(format!("{name}={}", self.number(name)?)));
        words.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As kernel 6.18 prints it, the common fields cut to two.
    const EXEC: &str = "name: sched_process_exec\nID: 365\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
        \tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n\
        \tfield:u32 * uaddr;\toffset:16;\tsize:8;\tsigned:0;\n\
        \tfield:char comm[4];\toffset:24;\tsize:4;\tsigned:0;\n\n\
        print fmt: \"filename=%s\", __get_str(filename)\n";

    fn event() -> Vec<u8> {
        let mut bytes = vec![0x6d, 1, 0, 0, 7, 0, 0, 0];
        bytes.extend(((9_u32 << 16) + 28).to_ne_bytes());
        bytes.extend((-2_i32).to_ne_bytes());
        bytes.extend(u64::MAX.to_ne_bytes());
        bytes.extend(b"sh\0x");
        bytes.extend(b"/bin/sh\0\0");
        bytes
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let layout = Layout::parse("sched/sched_process_exec", EXEC).unwrap();
        assert_eq!(layout.id, 365);
        let bytes = event();
        let fields = layout.of(&bytes);
        assert_eq!(fields.number("common_type"), Some(365));
        assert_eq!(fields.number("pid"), Some(-2));
        assert_eq!(fields.number("uaddr"), Some(-1));
        assert_eq!(fields.text("comm").as_deref(), Some("sh"));
        assert_eq!(fields.text("filename").as_deref(), Some("/bin/sh"));
        assert_eq!(fields.number("nothing"), None);
        assert_eq!(fields.all(), "comm=2013292659 pid=-2 uaddr=-1");
    }

    #[test]
    fn what_lies_outside_of_an_event_is_not_there() {
        let layout = Layout::parse("sched/sched_process_exec", EXEC).unwrap();
        let whole = event();
        for len in 0..whole.len() {
            let fields = layout.of(&whole[..len]);
            assert_eq!(fields.text("filename"), None, "{len}");
            assert_eq!(fields.number("pid").is_some(), len >= 16, "{len}");
        }
        assert!(Layout::parse("a/b", "").is_none());
        assert!(Layout::parse("a/b", "ID: 70000\n").is_none());
    }
}
