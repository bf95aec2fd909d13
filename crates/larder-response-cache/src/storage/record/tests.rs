use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use larder_layer::tags::{Generation, Tag};
use larder_store::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::engine::{Exchange, Profile, SelectingFields};
use crate::request::RESPONSE as KIND;

fn key(id: &str) -> Key {
    Key::new(KIND, id)
}

fn response(fields: &[(String, Vec<u8>)], body: Vec<u8>, tags: &[String]) -> Arc<StoredResponse> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    let exchange = Exchange {
        sent: Timestamp::from_micros(7),
        received: Timestamp::from_micros(9),
    };
    let tags = tags.iter().map(|tag| (Tag::new(tag), Generation::random()));
    let tags = tags.collect();
    Arc::new(
        StoredResponse::restored(
            &ResponsePolicy::default(),
            StatusCode::OK,
            headers,
            body.into(),
            exchange,
        )
        .with_tags(tags)
        .with_date_info(DateInfo {
            is_generated: false,
            is_last_modified_weak: true,
        }),
    )
}

fn decoded(bytes: &Bytes, key: &Key) -> Option<Arc<StoredResponse>> {
    match Record::decode(bytes, key, &ResponsePolicy::default())? {
        Record::Response(response) => Some(response),
        _ => None,
    }
}

fn sample() -> Bytes {
    let fields = [
        ("age".to_owned(), b"5".to_vec()),
        ("etag".to_owned(), b"\"a\"".to_vec()),
        ("x".to_owned(), b"1".to_vec()),
        ("x".to_owned(), b"\xff".to_vec()),
    ];
    let response = response(&fields, b"Metropolis".to_vec(), &["films".to_owned()]);
    Record::Response(response).encode(&key("a")).unwrap()
}

proptest! {
    #[test]
    fn a_record_is_decoded_as_it_was_encoded(
        fields in proptest::collection::vec(("[a-z-]{1,9}", "[ -~]{0,9}"), 0..9),
        body: Vec<u8>, tags in proptest::collection::vec("[a-z]{1,9}", 0..4),
        is_generated: bool, is_last_modified_weak: bool, expired in proptest::option::of(1_i64..),
    ) {
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        let response = Arc::into_inner(response(&fields, body, &tags)).unwrap();
        let date_info = DateInfo { is_generated, is_last_modified_weak };
        let mut response = response.with_date_info(date_info);
        if let Some(at) = expired {
            response = response.expired_at(Timestamp::from_micros(at));
        }
        let response = Arc::new(response);
        let bytes = Record::Response(response.clone()).encode(&key("a")).unwrap();
        let back = decoded(&bytes, &key("a")).unwrap();
        prop_assert_eq!(&back.headers, &response.headers);
        prop_assert_eq!(&back.body, &response.body);
        prop_assert_eq!(&back.tags, &response.tags);
        prop_assert_eq!(back.exchange, response.exchange);
        prop_assert_eq!(back.rules, response.rules);
        prop_assert_eq!(back.date_info, response.date_info);
        prop_assert_eq!(back.expired, response.expired);
        prop_assert!(back.fields().eq(response.fields()));
        prop_assert!(decoded(&bytes, &key("b")).is_none());
    }

    #[test]
    fn noise_is_not_a_record(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Record::decode(&noise.clone().into(), &key("a"), &ResponsePolicy::default()).is_none());
        for kind in 0..5 {
            let mut sealed = vec![0; envelope::LEN];
            sealed.push(kind);
            sealed.extend_from_slice(&noise);
            envelope::seal(MAGIC, &key("a"), &mut sealed).unwrap();
            // If the checksum happens to fit it may decode; it must never panic.
            let _ = Record::decode(&sealed.into(), &key("a"), &ResponsePolicy::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn changed_bytes_are_not_a_record(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 1..=255_u8), 1..4),
        cut in proptest::option::weighted(0.2, any::<proptest::sample::Index>()),
    ) {
        let whole = sample();
        let mut bytes = whole.to_vec();
        for (index, change) in changes {
            let at = index.index(bytes.len());
            bytes[at] ^= change;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        prop_assume!(bytes != whole);
        prop_assert!(Record::decode(&bytes.into(), &key("a"), &ResponsePolicy::default()).is_none());
    }
}

#[test]
fn every_single_byte_counts() {
    let whole = sample();
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1;
        assert!(
            Record::decode(&bytes.into(), &key("a"), &ResponsePolicy::default()).is_none(),
            "byte {at}"
        );
    }
}

#[test]
fn a_response_with_more_headers_than_are_read_is_not_written() {
    for (count, is_written) in [(1024, true), (1025, false)] {
        let fields = vec![("x".to_owned(), b"1".to_vec()); count];
        let record = Record::Response(response(&fields, Vec::new(), &[]));
        let bytes = record.encode(&key("a"));
        assert_eq!(bytes.is_some(), is_written);
        assert!(bytes.is_none_or(|bytes| decoded(&bytes, &key("a")).is_some()));
    }
}

#[test]
fn a_decoded_body_is_a_slice_of_the_bytes() {
    let whole = sample();
    let response = decoded(&whole, &key("a")).unwrap();
    assert!(whole.as_ptr_range().contains(&response.body.as_ptr()));
    assert_eq!(response.body, "Metropolis");
}

#[test]
fn a_field_that_is_not_stored_is_not_read_either() {
    let rfc = ResponsePolicy {
        profile: Profile::Rfc,
        ..ResponsePolicy::default()
    };
    let mut headers = HeaderMap::new();
    for name in ["ratelimit", "x-ratelimit-remaining", "etag"] {
        headers.insert(name, HeaderValue::from_static("1"));
    }
    let at = Timestamp::from_micros(7);
    let exchange = Exchange {
        sent: at,
        received: at,
    };
    let stored = StoredResponse::restored(&rfc, StatusCode::OK, headers, Bytes::new(), exchange);
    let bytes = Record::Response(Arc::new(stored))
        .encode(&key("a"))
        .unwrap();
    for (policy, count) in [(rfc, 3), (ResponsePolicy::default(), 1)] {
        let read = Record::decode(&bytes, &key("a"), &policy);
        let Some(Record::Response(read)) = read else {
            panic!("a response is a response");
        };
        assert_eq!(read.headers.len(), count, "{:?}", policy.profile);
    }
}

#[test]
fn an_index_and_a_reservation_are_decoded_as_they_were_encoded() {
    let mut headers = HeaderMap::new();
    headers.append("vary", HeaderValue::from_static("b, a"));
    let mut index = VariantIndex::new(SelectingFields::of(&headers).unwrap());
    assert_eq!(index.add(index.selecting.variant(&headers), 1), None);
    let first = index.variants[0];
    assert_eq!(
        index.add(index.selecting.variant(&HeaderMap::new()), 1),
        Some(first)
    );
    let record = Record::Variants(Arc::new(index.clone()));
    let bytes = record.encode(&key("a")).unwrap();
    let Some(Record::Variants(back)) =
        Record::decode(&bytes, &key("a"), &ResponsePolicy::default())
    else {
        panic!("an index is an index");
    };
    assert_eq!(*back, index);
    let reserved = Record::Reservation.encode(&key("a")).unwrap();
    assert!(matches!(
        Record::decode(&reserved, &key("a"), &ResponsePolicy::default()),
        Some(Record::Reservation)
    ));
}

#[test]
fn the_weight_of_a_record_is_a_little_more_than_its_bytes() {
    let index = |count: usize| {
        let mut index = VariantIndex::new(SelectingFields::from_names(Vec::new()).unwrap());
        index.variants = vec![index.selecting.variant(&HeaderMap::new()); count];
        Record::Variants(Arc::new(index))
    };
    for record in [index(0), index(1), index(64), Record::Reservation] {
        let (weight, bytes) = (record.weight(), record.encode(&key("a")).unwrap().len());
        assert!(
            (bytes..bytes + 4_096).contains(&weight),
            "{weight} for {bytes}"
        );
    }
}
