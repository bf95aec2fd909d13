//! The faults of the bus.

macro_rules! bus_faults {
    ($($before:tt)*) => { leases_faults! { $($before)*
        /// A message goes only to the first of its subscriptions.
        DeliversToOne,
        /// A message is delivered twice.
        DeliversTwice,
        /// A message is delivered once for each time that a request names its channel or its topic.
        DeliversForEachWish,
        /// A subscription to a channel and its topic gets each message twice.
        DeliversByChannelAndTopic,
        /// A subscription to several channels gets messages only of the first.
        HearsOneChannel,
        /// All channels of a topic are one channel.
        IgnoresChannelIds,
        /// All channels with one id are one channel.
        IgnoresTopics,
        /// The channels of all namespaces are one channel.
        IgnoresNamespaces,
        /// Channels that differ only in case are one channel.
        ChannelsFoldCase,
        /// Channels that differ only in line ends are one channel.
        ChannelsDropLineEnds,
        /// A subscription to a topic gets no messages.
        TopicsHearNothing,
        /// A subscription to a topic also gets messages of topics whose names begin with its name.
        TopicsArePrefixes,
        /// A subscription to all channels of a sharded topic is accepted.
        HearsAllOfSharded,
        /// A subscription to no channel is accepted.
        ListensToNothing,
        /// A message over the limit is cut.
        CutsLargeMessages,
        /// A message of the maximum length is refused.
        RefusesLargeMessages,
        /// An empty message arrives with one byte.
        FillsEmptyMessages,
        /// A message ends at its first NUL.
        MessagesEndAtNul,
        /// A message without subscribers is an error.
        NobodyListensIsAnError,
        /// A dropped subscribe takes all later messages of its channels.
        CancelledSubscribeTakesMessages,
        /// Every hundredth subscription gets no messages.
        SubscribesTooEarly,
        /// Every 64th message is delivered after the next one.
        SwapsMessages,
        /// Every 300th message is lost.
        LosesMessagesInARush,
        /// The last message is also delivered to later subscriptions.
        MessagesLinger,
        /// A dropped subscription ends the others of its channels.
        DropEndsTheChannel,
        /// All subscriptions have room for the same number of messages.
        IgnoresBuffer,
        /// If one subscription is too slow, all get a gap.
        OverflowGapsAll,
    } };
}
