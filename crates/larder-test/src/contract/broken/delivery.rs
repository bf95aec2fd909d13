use std::sync::Arc;

use larder_store::bus::{Channel, Message, SubscribeRequest};

use super::{BrokenStore, Fault};
use crate::contract::model::{Listeners, wants};

/// A subscriber with a smaller buffer counts as slow after this number of messages.
const SMALL: usize = 16;

impl BrokenStore {
    pub(super) fn listeners(&self) -> &Arc<Listeners> {
        &self.model.listeners
    }

    /// Delivers a message with the faults, and returns how many times it was delivered.
    pub(super) fn deliver(&self, message: &Message) -> usize {
        let channel = &message.channel;
        if self.memory.lock().taken.contains(channel.as_str()) {
            return 0;
        }
        let (mut heard, mut slow) = (0, false);
        self.listeners().deliver(message, |request| {
            slow |= request.buffer().get() < SMALL;
            let times = self.times(request, channel, heard);
            heard += times;
            times
        });
        if slow && self.has(Fault::OverflowGapsAll) && self.count() > SMALL {
            self.listeners().leave_gaps();
        }
        heard
    }

    /// Returns how many times one subscription gets a message that was delivered `heard` times before.
    fn times(&self, request: &SubscribeRequest, channel: &Channel, heard: usize) -> usize {
        let wanted = wants(request, channel);
        let (channels, patterns) = (request.channels(), request.patterns());
        let by_channel = channels.iter().filter(|of| *of == channel).count();
        let by_topic = patterns.iter().filter(|of| of.matches(channel)).count();
        let alike = |form: fn(&str) -> String| {
            let of = form(channel.as_str());
            usize::from(wanted || channels.iter().any(|channel| form(channel.as_str()) == of))
        };
        match self.fault {
            Some(Fault::DeliversToOne) if heard > 0 => 0,
            Some(Fault::DeliversTwice) if wanted => 2,
            Some(Fault::DeliversForEachWish) => by_channel + by_topic,
            Some(Fault::DeliversByChannelAndTopic) => by_channel.min(1) + by_topic.min(1),
            Some(Fault::IgnoresChannelIds) => alike(|text| topic(text).to_owned()),
            Some(Fault::IgnoresTopics) => alike(|text| text.replace(topic(text), "")),
            Some(Fault::IgnoresNamespaces) => alike(|text| without_namespace(text).to_owned()),
            Some(Fault::ChannelsFoldCase) => alike(str::to_lowercase),
            Some(Fault::ChannelsDropLineEnds) => alike(|text| text.replace("%0A", "")),
            Some(Fault::TopicsHearNothing) => by_channel.min(1),
            Some(Fault::TopicsArePrefixes) => {
                let text = without_namespace(channel.as_str());
                let begins = patterns
                    .iter()
                    .any(|of| text.starts_with(of.topic().name()));
                usize::from(wanted || begins)
            }
            _ => usize::from(wanted),
        }
    }
}

/// Returns the topic of a channel, with the namespace.
fn topic(text: &str) -> &str {
    text.split_once('{').map_or(text, |(topic, _)| topic)
}

fn without_namespace(text: &str) -> &str {
    let begin = topic(text).trim_end_matches(':').rfind(':');
    &text[begin.map_or(0, |colon| colon + 1)..]
}
