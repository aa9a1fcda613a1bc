//! ZIP archives of stored files, like the ones PyTorch writes around a pickle.

/// An archive of these files.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut whole, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let place = (whole.len() as u32).to_le_bytes();
        let size = (bytes.len() as u32).to_le_bytes();
        // Versions, flags, method, time and checksum stay zero: the reader needs none of them.
        let mut sizes = Vec::new();
        sizes.extend([0; 12]);
        sizes.extend([size, size].concat());
        sizes.extend((name.len() as u16).to_le_bytes());
        sizes.extend([0; 2]);
        whole.extend([b"PK\x03\x04\x00\x00", &sizes[..], name.as_bytes(), bytes].concat());
        directory
            .extend([b"PK\x01\x02\x00\x00\x00\x00", &sizes[..], &[0; 10], &place, name.as_bytes()].concat());
    }
    let start = (whole.len() as u32).to_le_bytes();
    let count = (files.len() as u16).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    whole.extend(directory);
    whole.extend([&b"PK\x05\x06\x00\x00\x00\x00"[..], &count, &count, &size, &start, &[0; 2]].concat());
    whole
}
