-- The state of the queue itself: the last place and fence, the end of the record, the time up to which the rate
-- is used, the time before which nothing becomes due, and flags: it is paused, idle workers were woken, there
-- are groups.
local seq, fence, ends, tat, look_at, flags = 0, 0, 0, 0, 0, 4
if meta then
  if #meta == 41 then seq, fence, ends, tat, look_at, flags = struct.unpack('<dddddB', meta) end
  -- What is not of this form was not written here, and counts as none.
  local is_ours = seq >= 0 and fence >= 0 and ends >= 0 and tat >= 0 and look_at >= 0
  if not is_ours or math.max(seq, fence, ends, tat, look_at) > NEVER then
    seq, fence, ends, tat, look_at, flags = 0, 0, 0, 0, 0, 4
  end
else
  flags = 0
  -- What was made later than the first key may outlive it by a part of a millisecond.
  for i = 2, #KEYS do del(KEYS[i]) end
end
local paused, told, grouped = flags % 2 == 1, flags % 4 > 1, flags > 3
