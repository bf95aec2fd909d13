//! The laws about the bus.

#[doc(hidden)]
#[macro_export]
macro_rules! __bus_laws {
    ([$($then:tt)*] $($before:tt)*) => { $crate::__leases_laws! { [$($then)*] $($before)*
        bus_laws [bus] {
            bus {
                /// Each subscription of a channel gets its messages.
                a_message_reaches_every_subscription
                /// Each subscription gets a message once.
                a_message_is_delivered_once
                /// A subscription that names a channel twice gets its messages once.
                a_channel_that_is_named_twice_delivers_once
                /// A subscription to a channel and its topic gets each message once.
                a_channel_of_a_requested_topic_delivers_once
                /// A subscription to several channels gets the messages of each.
                a_subscription_gets_messages_of_all_its_channels
                /// A message does not arrive on another channel of its topic.
                channels_of_a_topic_are_kept_apart
                /// A message does not arrive on the channel of the same id in another topic.
                topics_keep_equal_ids_apart
                /// Channels of any characters are different channels.
                channels_of_any_characters_are_kept_apart
                /// Channels that differ in case are different channels.
                channels_keep_their_case
                /// A message does not arrive in another namespace, and its channel reads as inside its own.
                namespaces_get_no_messages_of_each_other
                /// A subscription to a topic gets the messages of all its channels.
                a_topic_delivers_from_all_its_channels
                /// A subscription to a topic gets no messages of a topic whose name only begins with the same text.
                a_topic_does_not_deliver_from_a_similar_one
                /// Subscribing to a whole sharded topic is Invalid.
                subscribing_to_a_whole_sharded_topic_is_refused
                /// An empty subscribe request is Invalid.
                an_empty_subscribe_request_is_refused
                /// A message over the limit is refused with TooLarge, and nobody gets it.
                a_message_that_is_too_large_is_refused
                /// A message of the maximum length arrives whole.
                the_largest_message_arrives_whole
                /// An empty message arrives, empty.
                an_empty_message_arrives
                /// All 256 bytes arrive, in any order.
                a_message_of_any_bytes_arrives
                /// A message without subscribers is sent without an error.
                a_message_without_subscribers_is_not_an_error
                /// A dropped subscribe takes no message from later subscribers.
                a_cancelled_subscribe_leaves_nothing
            }
            bus_streams {
                /// A message that is published once subscribe was answered arrives, 1,000 times of 1,000.
                a_message_right_after_subscribe_arrives
                /// Consecutive messages of one caller to one channel arrive in their order.
                messages_of_a_publisher_keep_their_order
                /// All messages of 16 concurrent publishers to one channel arrive.
                concurrent_publishers_lose_nothing
                /// A message from before the subscribe does not arrive.
                a_subscription_gets_no_earlier_messages
                /// A subscription goes on when another one of its channel is dropped.
                a_dropped_subscription_leaves_its_siblings
                /// Beyond its buffer, a subscription gets one gap in place of the missing messages.
                a_full_buffer_gives_one_gap_in_its_place
                /// A slow subscription costs no other one a message.
                a_slow_subscription_costs_others_no_messages
            }
        }
    } };
}
