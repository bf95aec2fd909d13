-- KEYS: the list and the state of a user.
local state = redis.call('GET', KEYS[2])
if state and (not is_whole(state) or string.byte(state, 18) ~= 0) then
  del(KEYS[1])
  del(KEYS[2])
end
return 1
