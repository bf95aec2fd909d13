//! Values that are compressed or sealed.

use larder_cache::{CacheBuilder, Codec, Compression, MsgPack, SealingKeys};
use larder_layer::envelope;

use super::cache::{Stand, far_key, resealed_on};
use super::mutating::reseal;
use super::{Outcome, Target, reading};
use crate::fuzz::mutate::mutate;
use crate::fuzz::values::{Drawn, Film};

/// The largest value that is read back.
const MAX_VALUE: usize = 1 << 20;

/// The length of what a bomb decompresses to.
const BOMB: usize = 16 << 20;

/// The algorithm and the length in front of compressed bytes.
const COMPRESSION_HEADER: usize = 5;

pub(super) fn lz4() -> Target {
    resealed_on(compressed(Compression::lz4()))
}

pub(super) fn zstd() -> Target {
    resealed_on(compressed(Compression::zstd()))
}

fn compressed(compression: Compression) -> Stand {
    Stand::with(MsgPack, |films| {
        let films = far_only(films).with_compression(compression.with_min_bytes(0));
        films.with_max_value(MAX_VALUE)
    })
}

fn far_only(films: CacheBuilder<u32, Film>) -> CacheBuilder<u32, Film> {
    films.without_near()
}

/// Bytes that decompress to much more than a value may have, with a stated length that is true or a lie.
pub(super) fn bombs() -> Target {
    let bombs = [Compression::lz4(), Compression::zstd()].map(|compression| {
        let writer = Stand::with(MsgPack, |films| {
            let films = far_only(films).with_compression(compression);
            films.with_max_value(2 * BOMB)
        });
        let bytes = writer.write(Film::bomb(BOMB));
        assert!(bytes.len() < BOMB / 100, "it is compressed");
        bytes
    });
    let stand = compressed(Compression::lz4());
    let film = Film::draw(&mut fastrand::Rng::with_seed(1));
    let length_at = header() + 1..header() + COMPRESSION_HEADER;
    Box::new(move |random| {
        let mut bytes = bombs[random.usize(..bombs.len())].clone();
        if random.u8(..8) != 0 {
            let lie = random.u32(..MAX_VALUE as u32 + 2).to_le_bytes();
            bytes[length_at.clone()].copy_from_slice(&lie);
        }
        if random.bool() {
            mutate(&mut bytes, header() + COMPRESSION_HEADER, random);
        }
        reseal(&far_key(), &mut bytes);
        stand.put(&bytes);
        let with_loader = random.u8(..8) == 0;
        reading(|| match stand.read(&film, with_loader) {
            Outcome::Wrong => Outcome::Value,
            outcome => outcome,
        })
    })
}

/// Returns how many bytes there are in front of a value without tags.
fn header() -> usize {
    let film = Film::draw(&mut fastrand::Rng::with_seed(1));
    let mut plain = Vec::new();
    MsgPack
        .encode(&film, &mut plain)
        .expect("it can be written");
    Stand::with(MsgPack, far_only).write(film).len() - plain.len()
}

/// Bytes that were forged without the key: only the sealed value may be read from them.
pub(super) fn sealed() -> Target {
    let stand = Stand::with(MsgPack, |films| {
        far_only(films).with_sealing(SealingKeys::new(1, [7; 32]))
    });
    Box::new(move |random| {
        let film = Film::draw(random);
        let mut bytes = stand.write(film.clone());
        mutate(&mut bytes, envelope::LEN, random);
        reseal(&far_key(), &mut bytes);
        stand.put(&bytes);
        let with_loader = random.u8(..8) == 0;
        reading(|| stand.read(&film, with_loader))
    })
}
