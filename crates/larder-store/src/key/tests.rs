use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;

const KIND: Kind = Kind::evictable("kind");

fn key(id: impl KeyId) -> String {
    Key::new(KIND, id).as_str().to_owned()
}

/// Returns the part of a key that Redis Cluster hashes.
///
/// It is the text between the first `{` and the next `}`, unless that is empty.
fn hash_tag(key: &str) -> &str {
    let start = key.find('{').unwrap() + 1;
    let end = start + key[start..].find('}').unwrap();
    assert!(end > start, "an empty tag is no tag");
    &key[start..end]
}

#[test]
fn text_that_would_break_a_key_is_escaped() {
    assert_eq!(key("a:b"), "kind:{a%3Ab}");
    assert_eq!(key("{x}"), "kind:{%7Bx%7D}");
    assert_eq!(key("*?[]\\"), "kind:{%2A%3F%5B%5D%5C}");
    assert_eq!(key("\r\n\0"), "kind:{%0D%0A%00}");
    assert_eq!(key("é"), "kind:{%C3%A9}");
    assert_eq!(key(""), "kind:{%}");
    assert_eq!(key("%"), "kind:{%25}");
}

#[test]
fn a_key_shows_its_parts_and_its_namespace() {
    let namespace = Namespace::new("prod", "matinee").unwrap();
    let key = Key::new(KIND, 7_u32)
        .with_part(Part::new("fence"))
        .within(&namespace);
    assert_eq!(key.as_str(), "prod:matinee:kind:{7}:fence");
    assert_eq!(key.as_bytes(), key.as_str().as_bytes());
    assert_eq!(format!("{key:?}"), "Key(kind)");
    assert_eq!(
        format!("{:?}", KeyPrefix::new(KIND, 7_u32)),
        "KeyPrefix(kind)"
    );
    assert_eq!(format!("{:?}", key.kind()), "Kind(kind)");
}

#[test]
fn a_name_has_1_to_32_of_the_characters_that_it_may_have() {
    for (name, is_name) in [
        ("", false),
        ("a", true),
        ("az09-_.", true),
        (&"a".repeat(32), true),
        (&"a".repeat(33), false),
        ("A", false),
        ("a:b", false),
        ("é", false),
    ] {
        assert_eq!(Namespace::new(name, "app").is_ok(), is_name, "{name}");
        assert_eq!(Namespace::new("prod", name).is_ok(), is_name, "{name}");
    }
}

#[test]
fn kinds_and_keys_are_equal_and_hash_alike_by_their_text() {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let same = Kind::pinned(String::from("kind").leak());
    let kinds = [KIND, same, Kind::evictable("other")];
    assert!(kinds[0] == kinds[1] && kinds[0] != kinds[2]);
    let hashes = kinds.map(|kind| hasher.hash_one(kind));
    assert!(hashes[0] == hashes[1] && hashes[0] != hashes[2]);
    let keys = [Key::new(KIND, 7), Key::new(same, "7"), Key::new(KIND, 8)];
    assert!(keys[0] == keys[1] && keys[0] != keys[2]);
    let hashes = keys.map(|key| hasher.hash_one(key));
    assert!(hashes[0] == hashes[1] && hashes[0] != hashes[2]);
}

#[test]
fn a_key_is_refused_where_its_kind_holds_something_else() {
    const HOLD: Kind = Kind::record("hold");
    for (kind, right, wrong) in [
        (KIND, Content::Value, Content::Record),
        (HOLD, Content::Record, Content::Value),
    ] {
        let key = Key::new(kind, 7);
        assert!(key.require(right, "test").is_ok());
        let error = key.require(wrong, "test").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::WrongType));
        assert!(error.to_string().contains(kind.name()), "{error}");
    }
}

#[test]
fn numbers_and_addresses_read_as_people_write_them() {
    assert_eq!(
        key((i64::MIN, u64::MAX)),
        format!("kind:{{{}:{}}}", i64::MIN, u64::MAX)
    );
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(key(address("203.0.113.70")), "kind:{203.0.113.70}");
    assert_eq!(key(address("2001:db8::1")), "kind:{2001%3Adb8%3A%3A1}");
    for octet in 0..=255 {
        let address = Ipv4Addr::new(octet, octet, 255 - octet, octet);
        assert_eq!(key(address), format!("kind:{{{address}}}"));
    }
}

#[test]
fn text_and_bytes_of_any_type_are_the_same_component() {
    let all = [
        key("a:b"),
        key(String::from("a:b")),
        key(Box::<str>::from("a:b")),
        key(Arc::<str>::from("a:b")),
        key(b"a:b".to_vec()),
        key(b"a:b".as_slice()),
        key(*b"a:b"),
    ];
    assert_eq!(all, [(); 7].map(|()| "kind:{a%3Ab}"));
    assert_eq!([key(false), key(true)], ["kind:{0}", "kind:{1}"]);
}

#[test]
fn the_partition_of_a_key_is_read_from_it_however_long_its_id_is() {
    const LIMIT: Kind = Kind::record("limit").partitioned();
    let namespace = Namespace::new("prod", "matinee").unwrap();
    let long = "a".repeat(1_000);
    for id in ["a", "", long.as_str()] {
        let key = Key::new(LIMIT, ("sign-in", id));
        assert_eq!(key.partition(), Some("sign-in"), "{id}");
        assert_eq!(key.within(&namespace).partition(), Some("sign-in"), "{id}");
        assert!(key.as_str().len() < 128, "{id}");
        assert_ne!(key, Key::new(LIMIT, ("pages", id)));
        assert_ne!(key, Key::new(LIMIT, ("sign-in", ("b", id))));
    }
    assert_eq!(Key::new(LIMIT, 7_u32).partition(), Some("7"));
    assert_eq!(Key::new(KIND, ("sign-in", 7_u32)).partition(), None);
    // A name that is too long for one is hashed with the rest, so the key stays short.
    for (length, is_kept) in [(32, true), (33, false)] {
        let key = Key::new(LIMIT, ("p".repeat(length), long.as_str()));
        assert_eq!(key.as_str().starts_with("limit:{p"), is_kept, "{length}");
        assert!(key.as_str().len() < 128);
    }
}

#[test]
fn text_that_is_not_a_key_is_refused_and_not_repeated() {
    for text in [
        "",
        "kind",
        "kind:{",
        "kind:{}",
        "kind:{a",
        "kind:a",
        ":{a}",
        "x:kind:{a}",
        "KIND:{a}",
        "kind:{a b}",
        "kind:{a}}",
        "kind:{a}:",
        "kind:{a}x",
        "kind:{a}:~lease",
        "kind:{{a}}",
        "kind:{%4}",
        "kind:{%4f}",
        "kind:{é}",
        "kind:{a}:b:c",
        "other:{a}",
    ] {
        let error = Key::parse(text, &[KIND]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        assert!(!error.to_string().contains("{a}"), "{error}");
    }
    assert!(Key::parse(&format!("kind:{{{}}}", "a".repeat(MAX_ID + 1)), &[KIND]).is_err());
}

#[test]
fn a_long_id_is_hashed_and_a_shorter_one_is_not() {
    let (longest, longer) = ("a".repeat(MAX_ID), "a".repeat(MAX_ID + 1));
    assert_eq!(key(longest.as_str()), format!("kind:{{{longest}}}"));
    assert!(key(longer.as_str()).starts_with("kind:{#"));
    assert!(key("ü".repeat(5000).as_str()).len() < 64);
    assert!(key(("a", longer.as_str())).starts_with("kind:{#"));
}

#[test]
fn the_text_of_a_hashed_id_does_not_meet_it() {
    let hashed = key("a".repeat(MAX_ID + 1).as_str());
    let tag = hash_tag(&hashed).to_owned();
    assert_ne!(key(tag.as_str()), hashed);
}

/// Hostile text, as a visitor may send it.
fn wild() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab:{}%#\\n\\x00*?\\[\\]]{0,6}",
        2 => any::<String>(),
        1 => "[a:{}]{90,100}",
        1 => ("[a-c]", 9_990..10_010_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => "[🎬🍿é]{0,5}",
    ]
}

proptest! {
    #[test]
    fn two_different_texts_never_give_one_key(one in wild(), other in wild()) {
        prop_assert_eq!(one == other, key(one.as_str()) == key(other.as_str()));
    }

    #[test]
    fn two_different_pairs_never_give_one_key(
        one in (wild(), wild()),
        other in (wild(), wild()),
        number in any::<u64>(),
    ) {
        let (a, b) = ((one.0.as_str(), one.1.as_str()), (other.0.as_str(), other.1.as_str()));
        prop_assert_eq!(a == b, key(a) == key(b));
        prop_assert_eq!(a.0 == b.0, key((a.0, number)) == key((b.0, number)));
    }

    #[test]
    fn bytes_as_base64url_are_the_text_of_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        struct Encoded<'a>(&'a [u8]);

        impl KeyId for Encoded<'_> {
            fn write_id(&self, id: &mut IdWriter<'_>) {
                id.base64url(self.0);
                id.number(7);
            }
        }

        let text = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert_eq!(key(Encoded(&bytes)), key((text, 7)));
    }

    #[test]
    fn a_key_from_a_prefix_is_the_key_of_all_its_components(
        one in wild(),
        other in wild(),
        last in wild(),
        address in any::<IpAddr>(),
    ) {
        const LIMIT: Kind = Kind::record("limit").partitioned();
        for kind in [KIND, LIMIT] {
            let prefix = KeyPrefix::new(kind, (one.as_str(), other.as_str()));
            let key = Key::new(kind, (one.as_str(), other.as_str(), last.as_str()));
            let made = prefix.key(last.as_str());
            prop_assert_eq!(&made, &key);
            prop_assert_eq!(made.partition(), key.partition());
            let key = Key::new(kind, (one.as_str(), other.as_str(), address));
            prop_assert_eq!(prefix.key(address), key);
        }
        prop_assert_eq!(Key::new(KIND, address), Key::new(KIND, address.to_string()));
    }

    #[test]
    fn a_key_is_read_back_as_it_was_made(one in wild(), other in wild(), number in any::<i64>()) {
        const LIMIT: Kind = Kind::record("limit").partitioned();
        let namespace = Namespace::new("prod", "matinee").unwrap();
        let id = (one.as_str(), number, other.as_str());
        for key in [Key::new(KIND, id), Key::new(LIMIT, id).within(&namespace)] {
            let part = key.clone().with_part(Part::new("jobs"));
            for made in [&key, &key.within(&namespace), &part] {
                let read = Key::parse(made.as_str(), &[KIND, LIMIT]).unwrap();
                prop_assert_eq!(&read, made);
                prop_assert_eq!(read.kind(), made.kind());
                prop_assert_eq!(read.partition(), made.partition());
            }
            prop_assert_eq!(part.part(), Some("jobs"));
            prop_assert_eq!(key.part(), None);
            prop_assert_eq!(part.without_part(), key);
        }
    }

    #[test]
    fn text_that_is_read_as_a_key_is_the_text_of_that_key(text in "[a:{}%4F#\\n é]{0,12}") {
        if let Ok(key) = Key::parse(&text, &[Kind::evictable("a")]) {
            prop_assert_eq!(key.as_str(), text.as_str());
            prop_assert_eq!(hash_tag(&text).matches(['{', '}']).count(), 0);
        }
    }

    #[test]
    fn text_of_a_visitor_never_leaves_the_braces(text in wild()) {
        let key = key(text.as_str());
        let framed = key.starts_with("kind:{") && key.ends_with('}');
        prop_assert!(framed);
        prop_assert_eq!(hash_tag(&key).len() + "kind:{}".len(), key.len());
        prop_assert!(key.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert!(!key.contains(['*', '?', '[', ']', '\\']));
        let longest = "kind:{}".len() + MAX_ID;
        prop_assert!(key.len() <= longest);
    }
}
