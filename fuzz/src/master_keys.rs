//! The file of master keys: only what we write is one, to the byte, but for line ends; nothing that is added or taken in loses a key.

use zegel::secret::masters::KeyFile;

pub fn holds(input: &[u8]) {
    let Some(mut file) = KeyFile::parse(input) else { return };
    let (bytes, list) = (file.to_bytes(), file.list());
    let again = KeyFile::parse(&bytes).expect("what we write is read");
    assert_eq!((again.to_bytes(), again.list()), (bytes, list.clone()));
    assert!(file.merge(&again).is_ok() && file.list() == list);
    let added = file.add();
    assert_eq!(file.list().len(), list.len() + usize::from(added.is_some()));
    assert!(list.iter().all(|one| file.list().contains(one)));
    for (generation, is_whole) in list {
        assert_eq!(file.retire(generation), is_whole);
        assert!(!file.retire(generation));
    }
}
