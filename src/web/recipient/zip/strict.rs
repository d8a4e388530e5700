//! A reader of ZIP archives for tests, as strict as those that read from a pipe: one record after the other, nothing is
//! looked up in the directory, and the directory must agree.

/// Names and bytes of all files.
pub fn read(mut zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut files, mut headers, whole) = (Vec::new(), Vec::new(), zip.len());
    while number(zip, 0, 4) == 0x0403_4b50 {
        let offset = whole - zip.len();
        let (flags, method) = (number(zip, 6, 2), number(zip, 8, 2));
        assert_eq!((flags, method), (1 << 11, 0), "UTF-8, no data descriptor, stored");
        let (name, extra) = (number(zip, 26, 2) as usize, number(zip, 28, 2) as usize);
        let (start, sizes) = (30 + name + extra, (number(zip, 18, 4), number(zip, 22, 4)));
        assert_eq!(sizes.0, sizes.1, "what is stored has one size");
        let size = match sizes.0 {
            0xffff_ffff => zip64(&zip[30 + name..start], 0),
            size => size,
        };
        let bytes = zip[start..][..size as usize].to_vec();
        assert_eq!(u64::from(crc32fast::hash(&bytes)), number(zip, 14, 4), "the checksum is in front");
        let name = std::str::from_utf8(&zip[30..30 + name]).unwrap().to_owned();
        headers.push((zip[8..26].to_vec(), name.clone(), offset as u64));
        files.push((name, bytes));
        zip = &zip[start + size as usize..];
    }
    let directory = whole - zip.len();
    for (fields, name, offset) in &headers {
        assert_eq!(number(zip, 0, 4), 0x0201_4b50);
        assert_eq!(&zip[10..28], fields, "{name}: both headers say the same");
        assert_eq!(&zip[46..46 + name.len()], name.as_bytes());
        assert_eq!(number(zip, 42, 4), *offset, "{name}");
        zip = &zip[46 + name.len() + number(zip, 30, 2) as usize..];
    }
    let length = (whole - zip.len() - directory) as u64;
    if number(zip, 0, 4) == 0x0606_4b50 {
        let told = [number(zip, 32, 8), number(zip, 40, 8), number(zip, 48, 8)];
        assert_eq!(told, [files.len() as u64, length, directory as u64]);
        zip = &zip[56 + 20..];
    }
    assert_eq!(number(zip, 0, 4), 0x0605_4b50);
    assert_eq!(number(zip, 10, 2), (files.len() as u64).min(0xffff));
    assert_eq!((number(zip, 12, 4), number(zip, 16, 4), zip.len()), (length, directory as u64, 22));
    files
}

/// A number of the zip64 field in `extra`.
fn zip64(mut extra: &[u8], index: usize) -> u64 {
    while number(extra, 0, 2) != 1 {
        extra = &extra[4 + number(extra, 2, 2) as usize..];
    }
    number(extra, 4 + 8 * index, 8)
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
