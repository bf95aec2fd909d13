//! Bytes that are almost right.

/// The longest input.
const MAX: usize = 64 * 1024;

/// Bytes that formats read as lengths, ends and beginnings.
const TELLING: [&[u8]; 16] = [
    &[0x00],
    &[0x01],
    &[0x7F],
    &[0x80],
    &[0xFF],
    &[0xFF; 4],
    &[0xFF; 8],
    // MessagePack: a list, a map, text and bytes of 4 Gi items, and a list of one.
    &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xDF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xDB, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xC6, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x91],
    // postcard: the longest length, and one of 4 Gi.
    &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
    b"[",
    b"{\"title\":",
];

/// Changes `bytes` from `at` on in one to four places.
pub(super) fn mutate(bytes: &mut Vec<u8>, at: usize, random: &mut fastrand::Rng) {
    for _ in 0..random.u8(1..5) {
        let from = random.usize(at.min(bytes.len())..=bytes.len());
        let telling = TELLING[random.usize(..TELLING.len())];
        match random.u8(..9) {
            0 => flip(bytes, from, random),
            1 => overwrite(bytes, from, telling),
            2 => insert(bytes, from, telling),
            3 => bytes.truncate(from),
            4 => drop(bytes.drain(from..random.usize(from..=bytes.len()))),
            5 => {
                let end = random.usize(from..=bytes.len().min(from + 64));
                let copied = bytes[from..end].to_vec();
                insert(
                    bytes,
                    random.usize(at.min(bytes.len())..=bytes.len()),
                    &copied,
                );
            }
            // A nest, or a long tail.
            6 => insert(bytes, from, &telling.repeat(random.usize(1..300))),
            7 => {
                let noise: Vec<_> = (0..random.usize(1..40)).map(|_| random.u8(..)).collect();
                overwrite(bytes, from, &noise);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte = random.u8(..);
                }
            }
        }
    }
    bytes.truncate(MAX);
}

fn flip(bytes: &mut [u8], at: usize, random: &mut fastrand::Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.u8(..8);
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes[at..].iter_mut().zip(with) {
        *byte = *new;
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    bytes.splice(at..at, what.iter().copied());
}
