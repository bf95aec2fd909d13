-- Check first: a lease of another type, or one that the user may not move, keeps the value.
local fence, deadline = state()
local is_held = fence and deadline ~= '0'
if is_held and not redis.acl_check_cmd('SET', KEYS[2], fence) then
  return redis.error_reply('NOPERM the lease cannot be moved without SET')
end
local removed = redis.call('DEL', KEYS[1])
if is_held then release(fence) end
return removed
