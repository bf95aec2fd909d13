//! The faults of the bus.

macro_rules! bus_faults {
    ($($before:tt)*) => { leases_faults! { $($before)*
        /// A message goes to the first of its subscriptions.
        DeliversToOne,
        /// A message comes twice.
        DeliversTwice,
        /// A message comes once for each time that its channel or its topic is named.
        DeliversForEachWish,
        /// A message comes by its channel, and again by its topic.
        DeliversByChannelAndTopic,
        /// A subscription of several channels hears the first.
        HearsOneChannel,
        /// The channels of a topic are one channel.
        IgnoresChannelIds,
        /// The channels of one id are one channel.
        IgnoresTopics,
        /// The channels of all namespaces are one channel.
        IgnoresNamespaces,
        /// Channels that differ in case are one channel.
        ChannelsFoldCase,
        /// Channels that differ in line ends are one channel.
        ChannelsDropLineEnds,
        /// A subscription to a topic gets no messages.
        TopicsHearNothing,
        /// A subscription to a topic gets messages of topics whose names begin alike.
        TopicsArePrefixes,
        /// All of a sharded topic can be wanted.
        HearsAllOfSharded,
        /// Nothing can be wanted.
        ListensToNothing,
        /// A message that is too large is cut.
        CutsLargeMessages,
        /// A message as large as it may be is refused.
        RefusesLargeMessages,
        /// An empty message arrives with a byte in it.
        FillsEmptyMessages,
        /// A message ends at its first NUL.
        MessagesEndAtNul,
        /// Publishing without subscribers is an error.
        NobodyListensIsAnError,
        /// A subscribe that is dropped takes all messages from then on.
        CancelledSubscribeTakesMessages,
        /// Every hundredth subscription hears nothing.
        SubscribesTooEarly,
        /// Every 64th message comes after the next one.
        SwapsMessages,
        /// Every 300th message is lost.
        LosesMessagesInARush,
        /// The last message is heard by those who come later.
        MessagesLinger,
        /// A dropped subscription takes the others of its channels with it.
        DropEndsTheChannel,
        /// All subscriptions have the same room.
        IgnoresBuffer,
        /// If one subscription is slow, all get gaps.
        OverflowGapsAll,
    } };
}
