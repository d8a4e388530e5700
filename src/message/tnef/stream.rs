//! The stream of attributes that a TNEF file is (MS-OXTNEF 2.1), and the numbers in it; used by the rest of `tnef`.

/// With this every such file begins.
pub const SIGNATURE: u32 = 0x223e_9f78;

/// The attributes that are read. The upper half of an id is the type of its value, which says nothing new.
pub mod id {
    pub const FROM: u16 = 0x8000;
    pub const SUBJECT: u16 = 0x8004;
    pub const DATE_SENT: u16 = 0x8005;
    pub const MESSAGE_CLASS: u16 = 0x8008;
    pub const BODY: u16 = 0x800c;
    pub const ATTACHMENT_DATA: u16 = 0x800f;
    pub const ATTACHMENT_TITLE: u16 = 0x8010;
    pub const DATE_START: u16 = 0x0006;
    pub const DATE_END: u16 = 0x0007;
    pub const ATTACHMENT_TRANSPORT_NAME: u16 = 0x9001;
    pub const ATTACHMENT_START: u16 = 0x9002;
    pub const MESSAGE_PROPERTIES: u16 = 0x9003;
    pub const RECIPIENTS: u16 = 0x9004;
    pub const ATTACHMENT_PROPERTIES: u16 = 0x9005;
    pub const OEM_CODE_PAGE: u16 = 0x9007;
}

/// Whether this is such a file; its first bytes are enough.
pub fn is_tnef(file: &[u8]) -> bool {
    file.starts_with(&SIGNATURE.to_le_bytes())
}

/// The attributes of a file, up to the first that cannot be read; none where it is no such file.
pub fn attributes(file: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut reader = Reader(file);
    let is_one = reader.u32() == Some(SIGNATURE) && reader.u16().is_some();
    std::iter::from_fn(move || reader.attribute()).take_while(move |_| is_one)
}

/// Little-endian values, one after the other.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A length, so many bytes, and filling up to a multiple of four; after the last value it may be missing.
    pub fn padded(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let data = self.take(length)?;
        let filling = (4 - length % 4) % 4;
        self.take(filling.min(self.0.len()))?;
        Some(data)
    }

    /// Level, id, length, data, checksum (MS-OXTNEF 2.1.3.1). The checksum may be wrong, and after the last attribute
    /// it may be missing: other programs give the data all the same.
    fn attribute(&mut self) -> Option<(u16, &'a [u8])> {
        let level = self.take(1)?;
        if !matches!(level, [1 | 2]) {
            return None;
        }
        let id = (self.u32()? & 0xffff) as u16;
        let length = usize::try_from(self.u32()?).ok()?;
        let data = self.take(length)?;
        self.take(self.0.len().min(2))?;
        Some((id, data))
    }
}
