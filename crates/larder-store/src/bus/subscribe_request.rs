use std::collections::HashSet;
use std::num::NonZeroUsize;

use super::{Channel, DEFAULT_BUFFER, Pattern, Topic};
use crate::{Error, ErrorKind, Namespace, Result};

/// A request to subscribe to channels and topics.
#[derive(Clone, Debug)]
pub struct SubscribeRequest {
    channels: Vec<Channel>,
    patterns: Vec<Pattern>,
    buffer: NonZeroUsize,
}

impl Default for SubscribeRequest {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            patterns: Vec::new(),
            buffer: DEFAULT_BUFFER,
        }
    }
}

impl SubscribeRequest {
    /// Subscribes to one channel.
    pub fn to_channel(channel: Channel) -> Self {
        Self::default().and_channel(channel)
    }

    /// Subscribes to all channels of a [broadcast](Topic::broadcast) topic.
    pub fn to_topic(topic: Topic) -> Self {
        Self::default().and_topic(topic)
    }

    /// Adds a channel.
    #[must_use]
    pub fn and_channel(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Adds all channels of a topic.
    #[must_use]
    pub fn and_topic(mut self, topic: Topic) -> Self {
        self.patterns.push(Pattern::all_of(topic));
        self
    }

    /// Limits the number of waiting messages. Default: 256.
    ///
    /// Messages past the limit are dropped, and leave a [gap](crate::bus::Event::Gap).
    #[must_use]
    pub fn with_buffer(mut self, messages: NonZeroUsize) -> Self {
        self.buffer = messages;
        self
    }

    /// Returns the requested channels.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Returns the topics whose channels are all requested.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Returns the maximum number of waiting messages.
    pub fn buffer(&self) -> NonZeroUsize {
        self.buffer
    }

    /// Puts the request into `namespace`.
    ///
    /// Map its subscription into the namespace too, with
    /// [`Subscription::seen_from`](crate::bus::Subscription::seen_from).
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        Self {
            channels: self
                .channels
                .iter()
                .map(|channel| channel.within(namespace))
                .collect(),
            patterns: self
                .patterns
                .iter()
                .map(|pattern| pattern.within(namespace))
                .collect(),
            buffer: self.buffer,
        }
    }

    /// Removes duplicates, and channels whose whole topic is requested.
    ///
    /// A store can then deliver once for each remaining channel and topic.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        let (mut topics, mut channels) = (HashSet::new(), HashSet::new());
        self.patterns
            .retain(|pattern| topics.insert(pattern.clone()));
        let patterns = &self.patterns;
        self.channels.retain(|channel| {
            !patterns.iter().any(|pattern| pattern.matches(channel))
                && channels.insert(channel.clone())
        });
        self
    }

    /// Refuses an invalid request. Backends call it first in
    /// [`subscribe`](crate::bus::Bus::subscribe).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub fn check(&self) -> Result<()> {
        let invalid = |text| Err(Error::new("subscribe", ErrorKind::Invalid, text));
        if self.channels.is_empty() && self.patterns.is_empty() {
            return invalid("the subscribe request is empty: name a channel or a topic".to_owned());
        }
        match self
            .patterns
            .iter()
            .find(|pattern| pattern.topic().is_sharded())
        {
            Some(pattern) => invalid(format!(
                "topic '{}' is sharded: subscribe to its channels, or make it Topic::broadcast",
                pattern.topic().name()
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILM: Topic = Topic::broadcast("film");
    const SEAT: Topic = Topic::sharded("seat");

    #[test]
    fn duplicate_channels_are_removed() {
        let (film, seat) = (Channel::new(FILM, 1_u32), Channel::new(SEAT, 1_u32));
        let wanted = SubscribeRequest::to_channel(film.clone())
            .and_channel(seat.clone())
            .and_channel(film.clone())
            .and_channel(seat.clone());
        let distinct = wanted.clone().distinct();
        assert_eq!(distinct.channels(), [film, seat.clone()]);
        let wanted = wanted.and_topic(FILM).and_topic(FILM);
        let distinct = wanted.distinct();
        assert_eq!(distinct.channels(), [seat]);
        assert_eq!(distinct.patterns(), [Pattern::all_of(FILM)]);
    }

    #[test]
    fn an_invalid_subscribe_request_is_refused() {
        let all_of_sharded = SubscribeRequest::to_topic(FILM).and_topic(SEAT).check();
        let text = all_of_sharded.unwrap_err().to_string();
        assert!(text.contains("'seat' is sharded"), "{text}");
        assert!(SubscribeRequest::default().check().is_err());
        assert!(SubscribeRequest::to_topic(FILM).check().is_ok());
    }
}
