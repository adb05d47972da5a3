use super::*;

/// A disk that takes so many bytes and is then full until it is given more.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_leaves_whole_frames_and_loses_nothing_when_there_is_room_again() {
    let (records, bytes) = full();
    for room in [0, 1, 100, 700, bytes.len() - 20] {
        let mut disk = Disk { bytes: Vec::new(), room };
        let mut writer = Writer::new(&mut disk).unwrap();
        let mut failed = 0;
        for (n, record) in records.iter().enumerate() {
            match writer.write(record) {
                Ok(()) => {}
                Err(WriteError::Io(_)) => failed += 1,
                Err(other) => panic!("{other}"),
            }
            if n % 4 == 3 {
                failed += u32::from(writer.flush_frame().is_err());
            }
        }
        assert!(failed > 0 || room + 20 == bytes.len());
        assert!(writer.finish().is_err());
        let written = std::mem::take(&mut disk.bytes);
        if let Ok(reader) = Reader::from_bytes(&written) {
            let (read, _) = reader.read_all();
            assert_eq!(read, records[..read.len()], "room {room}");
        }
    }

    let mut disk = Disk { bytes: Vec::new(), room: 700 };
    let mut writer = Writer::new(Refill { disk: &mut disk, refused: 0 }).unwrap();
    for (n, record) in records.iter().enumerate() {
        let _ = writer.write(record);
        if n % 4 == 3 {
            let _ = writer.flush_frame();
        }
    }
    let refused = writer.finish().unwrap().refused;
    assert!(refused > 0);
    let (read, summary) = read(&disk.bytes);
    assert_eq!(read, records);
    assert!(summary.is_complete(), "{:?}", summary.missing());
}

/// A full disk on which somebody makes room after the third refusal.
struct Refill<'a> {
    disk: &'a mut Disk,
    refused: u32,
}

impl Write for Refill<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = (&mut *self.disk).write(bytes);
        if outcome.is_err() {
            self.refused += 1;
            if self.refused == 3 {
                self.disk.room = usize::MAX;
            }
        }
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_stays_full_costs_bounded_memory() {
    let mut disk = Disk { bytes: Vec::new(), room: 0 };
    let mut writer = Writer::new(&mut disk).unwrap();
    writer.write(&header()).unwrap();
    let text = Some("x".repeat(LINE / 2));
    let half = Record::Output(Output { when: sample::ms(7), stream: Stream::Both, bytes: 1, text });
    let refused = (0..100).filter(|_| matches!(writer.write(&half), Err(WriteError::Backlog))).count();
    assert!((80..100).contains(&refused), "{refused}");
    assert_eq!(writer.refused(), refused as u64);
}
