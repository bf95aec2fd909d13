-- The state of the queue itself: the last place and fence, the end of the record, the time up to which the rate
-- is used, the time before which nothing becomes due, flags: it is paused, idle workers were woken, there are
-- groups; and the length of the longest body that it ever had.
local seq, fence, ends, tat, look_at, flags, longest = 0, 0, 0, 0, 0, 4, NEVER
if meta then
  if #meta == 49 then seq, fence, ends, tat, look_at, flags, longest = struct.unpack('<dddddBd', meta) end
  -- What is not of this form was not written here, and counts as none.
  local is_ours = seq >= 0 and fence >= 0 and ends >= 0 and tat >= 0 and look_at >= 0 and longest >= 0
  if not is_ours or math.max(seq, fence, ends, tat, look_at, longest) > NEVER then
    seq, fence, ends, tat, look_at, flags, longest = 0, 0, 0, 0, 0, 4, NEVER
  end
else
  flags, longest = 0, 0
  -- What was made later than the first key may outlive it by a part of a millisecond.
  for i = 2, #KEYS do del(KEYS[i]) end
end
local paused, told, grouped = flags % 2 == 1, flags % 4 > 1, flags > 3
