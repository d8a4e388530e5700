//! The organisation's staff list (`organisation.staff`): name, phone and department of each sender. It is read at start and
//! at SIGHUP, and used when a notice is written. A list with a fault is refused as a whole: half a list would show some
//! senders without a phone number.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::address::{Address, AddressError};

/// The list, by mailbox.
#[derive(Clone, Debug, Default)]
pub struct Directory(HashMap<String, StaffMember>);

/// What recipients are told about a sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaffMember {
    /// First and last name.
    pub name: Option<String>,
    /// As people write it.
    pub phone: Option<String>,
    /// Team or department.
    pub department: Option<String>,
}

/// Why the list cannot be used, in the words that the administrator reads.
#[derive(Debug, thiserror::Error)]
pub enum StaffError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The list
        file: PathBuf,
        /// The error of the operating system
        source: std::io::Error,
    },
    /// A line has a fault.
    #[error("{file}: line {line}: {fault}")]
    Line {
        /// The list
        file: PathBuf,
        /// Counted from 1
        line: u64,
        fault: StaffListFault,
    },
}

/// What can be wrong with a line of the list.
#[derive(Debug, thiserror::Error)]
pub enum StaffListFault {
    /// The header line names an unknown column.
    #[error("unknown column {0:?}; known are email, name, phone and department")]
    UnknownColumn(String),
    /// The header line names a column twice.
    #[error("column {0:?} stands there twice")]
    DoubleColumn(String),
    /// The header line has no `email`.
    #[error("the header line must name the column email (and may name name, phone, department)")]
    NoEmailColumn,
    /// More or fewer fields than the header line.
    #[error("{found} fields where the header line has {expected}")]
    FieldCount {
        /// The number of fields in the header line
        expected: u64,
        /// The number of fields in this line
        found: u64,
    },
    /// The text is not an address.
    #[error("{text:?}: {fault}")]
    Address { text: String, fault: AddressError },
    /// The address is on an earlier line too.
    #[error("{0} is in the list twice")]
    DoubleAddress(Address),
    /// The file is not UTF-8: spreadsheets can save in older encodings.
    #[error("not UTF-8; save the file as \"CSV UTF-8\"")]
    Encoding,
}

impl Directory {
    /// Reads a CSV file with a header line of `email`, `name`, `phone` and `department` in any order. Fields may be quoted,
    /// and separated by semicolons, as Dutch spreadsheets write them.
    pub fn load(path: &Path) -> Result<Self, StaffError> {
        let bytes = std::fs::read(path).map_err(|source| StaffError::Io { file: path.to_owned(), source })?;
        Self::parse(&bytes).map_err(|(line, fault)| StaffError::Line { file: path.to_owned(), line, fault })
    }

    /// How many people there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The person whose address this is, in any spelling of it.
    pub fn find(&self, address: &Address) -> Option<&StaffMember> {
        self.0.get(&address.mailbox())
    }

    /// Everybody in the list, each with their [`Address::mailbox`].
    pub fn people(&self) -> impl Iterator<Item = (&str, &StaffMember)> {
        self.0.iter().map(|(address, person)| (address.as_str(), person))
    }

    /// Reads a list from a text.
    #[cfg(test)]
    pub fn of(text: &str) -> Self {
        Self::parse(text.as_bytes()).unwrap_or_default()
    }

    /// Everything that is wrong with a list, in the order of its lines.
    pub fn faults(path: &Path) -> Vec<StaffError> {
        let file = || path.to_owned();
        match std::fs::read(path) {
            Err(source) => vec![StaffError::Io { file: file(), source }],
            Ok(bytes) => {
                let (_, faults) = Self::read(&bytes);
                faults
                    .into_iter()
                    .map(|(line, fault)| StaffError::Line { file: file(), line, fault })
                    .collect()
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, (u64, StaffListFault)> {
        let (people, faults) = Self::read(bytes);
        faults.into_iter().next().map_or(Ok(people), Err)
    }

    /// Whom the lines name that can be read, and what is wrong with the others.
    fn read(bytes: &[u8]) -> (Self, Vec<(u64, StaffListFault)>) {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter(bytes)).trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| line_fault(bytes, error));
        let columns = match header.and_then(|header| Columns::of(header).map_err(|fault| (1, fault))) {
            Ok(columns) => columns,
            Err(fault) => return (Self::default(), vec![fault]),
        };
        let (mut people, mut faults) = (HashMap::new(), Vec::new());
        for record in reader.records() {
            let read = record.map_err(|error| line_fault(bytes, error));
            let read = read.and_then(|record| columns.line(line_at(bytes, record.position()), &record));
            match read {
                Ok(None) => {}
                Ok(Some((line, address, person))) => {
                    if people.insert(address.mailbox(), person).is_some() {
                        faults.push((line, StaffListFault::DoubleAddress(address)));
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        (Self(people), faults)
    }
}

/// A line that can be read: its number, and who is on it.
type StaffLine = (u64, Address, StaffMember);

/// The position of each field in a line, as the header line has it.
#[derive(Default)]
struct Columns {
    email: usize,
    name: Option<usize>,
    phone: Option<usize>,
    department: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, StaffListFault> {
        let (mut columns, mut email) = (Self::default(), None);
        for (at, title) in header.iter().enumerate() {
            let column = match title.to_lowercase().as_str() {
                "email" => &mut email,
                "name" => &mut columns.name,
                "phone" => &mut columns.phone,
                "department" => &mut columns.department,
                _ => return Err(StaffListFault::UnknownColumn(title.to_owned())),
            };
            if column.replace(at).is_some() {
                return Err(StaffListFault::DoubleColumn(title.to_owned()));
            }
        }
        columns.email = email.ok_or(StaffListFault::NoEmailColumn)?;
        Ok(columns)
    }

    /// Line, address and person; none where the line is empty.
    fn line(&self, line: u64, record: &StringRecord) -> Result<Option<StaffLine>, (u64, StaffListFault)> {
        if record.iter().all(str::is_empty) {
            return Ok(None);
        }
        let (address, person) = self.person(record).map_err(|fault| (line, fault))?;
        Ok(Some((line, address, person)))
    }

    fn person(&self, record: &StringRecord) -> Result<(Address, StaffMember), StaffListFault> {
        let text = record.get(self.email).unwrap_or("");
        let address =
            Address::parse(text).map_err(|fault| StaffListFault::Address { text: text.to_owned(), fault })?;
        let field = |column: Option<usize>| {
            let text = record.get(column?)?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let person = StaffMember {
            name: field(self.name),
            phone: field(self.phone),
            department: field(self.department),
        };
        Ok((address, person))
    }
}

/// A semicolon if the header line has semicolons and no comma, else a comma.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|&byte| byte == b'\n').next().unwrap_or(bytes);
    if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' }
}

/// The number of the line at a position, which the library has before the blank lines that it skips.
fn line_at(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let rest = usize::try_from(position.byte()).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
}

fn line_fault(bytes: &[u8], error: csv::Error) -> (u64, StaffListFault) {
    let line = line_at(bytes, error.position());
    match *error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len: expected, len: found, .. } => {
            (line, StaffListFault::FieldCount { expected, found })
        }
        // The bytes are in memory, so nothing else can go wrong with them.
        _ => (line, StaffListFault::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, phone: &str, department: &str) -> StaffMember {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        StaffMember { name: some(name), phone: some(phone), department: some(department) }
    }

    fn find(directory: &Directory, address: &str) -> Option<StaffMember> {
        directory.find(&Address::parse(address).unwrap()).cloned()
    }

    #[test]
    fn reads_what_spreadsheets_write() {
        for text in [
            "email,name,phone,department\nJan@voorbeeld.nl,Jan de Vries,14 0511,Burgerzaken\n",
            "email,name,phone,department\r\nJan@voorbeeld.nl,Jan de Vries,14 0511,Burgerzaken\r\n",
            "\u{feff}email;name;phone;department\r\nJan@voorbeeld.nl;Jan de Vries;14 0511;Burgerzaken\r\n;;;\r\n",
            "Department, Phone, Name, Email\n\n Burgerzaken , 14 0511, Jan de Vries, Jan@voorbeeld.nl",
        ] {
            let directory = Directory::parse(text.as_bytes()).unwrap();
            let jan = person("Jan de Vries", "14 0511", "Burgerzaken");
            assert_eq!(find(&directory, "jan@VOORBEELD.nl"), Some(jan), "{text:?}");
            assert_eq!(find(&directory, "piet@voorbeeld.nl"), None);
        }
    }

    #[test]
    fn reads_quoted_and_empty_fields() {
        let text = "email,name,phone,department\n\
            a@voorbeeld.nl,\"Vries, \"\"Jan\"\" de\",,\"Werk; inkomen\"\n\
            b@voorbeeld.nl,,,\n";
        let directory = Directory::parse(text.as_bytes()).unwrap();
        let expected = person("Vries, \"Jan\" de", "", "Werk; inkomen");
        assert_eq!(find(&directory, "a@voorbeeld.nl"), Some(expected));
        assert_eq!(find(&directory, "b@voorbeeld.nl"), Some(StaffMember::default()));
        assert!(Directory::parse(b"email\nc@voorbeeld.nl\n").is_ok());
    }

    #[test]
    fn every_line_with_a_fault_is_told() {
        let (people, faults) =
            Directory::read(b"email,name\njan,Jan\npiet@x.nl,Piet\nkees@x.nl\n\nPIET@x.nl,P\n");
        let lines: Vec<u64> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!((people.len(), lines), (1, vec![2, 4, 6]));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, expected) in [
            (&b""[..], "line 1: the header line must name the column email"),
            (b"name,phone\n", "line 1: the header line must name the column email"),
            (b"email,naam\n", "line 1: unknown column \"naam\"; known are"),
            (b"email,name,EMAIL\n", "line 1: column \"EMAIL\" stands there twice"),
            (b"email,name\na@x.nl,A\nb@x.nl\n", "line 3: 1 fields where the header line has 2"),
            (b"email,name\na@x.nl,A\njan,B\n", "line 3: \"jan\": an address needs the form"),
            (b"email,name\na@x.nl,A\nA@X.nl,B\n", "line 3: A@X.nl is in the list twice"),
            (b"email,name\na@x.nl,Ren\xe9\n", "line 2: not UTF-8"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("staff.csv");
            std::fs::write(&path, text).unwrap();
            let error = Directory::load(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: {expected}", path.display())), "{error}");
        }
        let missing = Directory::load(Path::new("/no/such/staff.csv")).unwrap_err().to_string();
        assert!(missing.starts_with("/no/such/staff.csv: "), "{missing}");
    }
}
