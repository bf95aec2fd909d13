use larder_store::Key;
use xxhash_rust::xxh3::xxh3_64;

/// What stands in front of every record, so that bytes which are not what was written, whole, under
/// this key, are a miss.
///
/// | bytes | what |
/// |---|---|
/// | 0..4 | magic, `lrr`, and the version of this layout, 3 |
/// | 4..12 | checksum (XXH3) of all that follows |
/// | 12..20 | hash (XXH3) of the key, without its namespace |
/// | 20..24 | length of the payload |
/// | 24 | what the payload is |
/// | 25.. | payload |
///
/// Numbers are little-endian. A checksum is no signature: who may write to the store may write any
/// response.
pub(super) const LEN: usize = 25;

const MAGIC: [u8; 4] = *b"lrr\x03";

/// Fills in the first [`LEN`] bytes of `sealed`, behind which the payload stands.
pub(super) fn seal(sealed: &mut [u8], what: u8, key: &Key) -> Option<()> {
    let length = u32::try_from(sealed.len().checked_sub(LEN)?).ok()?;
    let header = sealed.first_chunk_mut::<LEN>()?;
    header[..4].copy_from_slice(&MAGIC);
    header[12..20].copy_from_slice(&xxh3_64(key.as_bytes()).to_le_bytes());
    header[20..24].copy_from_slice(&length.to_le_bytes());
    header[24] = what;
    let checksum = xxh3_64(&sealed[12..]);
    sealed[4..12].copy_from_slice(&checksum.to_le_bytes());
    Some(())
}

/// What was sealed under `key`: what it is, with the payload behind [`LEN`] bytes. Nothing if it is
/// anything else.
pub(super) fn open(sealed: &[u8], key: &Key) -> Option<u8> {
    let (header, payload) = sealed.split_first_chunk::<LEN>()?;
    let is_sound = header[..4] == MAGIC
        && header[20..24] == u32::try_from(payload.len()).ok()?.to_le_bytes()
        && header[12..20] == xxh3_64(key.as_bytes()).to_le_bytes()
        && header[4..12] == xxh3_64(&sealed[12..]).to_le_bytes();
    is_sound.then_some(header[24])
}
