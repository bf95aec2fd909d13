-- ARGV: layout, 'set', 'add' or 'best', member, number, TTL in milliseconds, the most members.
local op, member, score = ARGV[2], ARGV[3], tonumber(ARGV[4])
local before, place = held(member)

if op == 'add' and before then
  local limit = 9007199254740992
  if score > 0 and before > limit - score or score < 0 and before < -limit - score then
    return {'past', num(before), 0}
  end
  score = before + score
end
if op == 'best' and before and before <= score then
  return {'kept', num(before), num(before)}
end

if before ~= score then
  if before then forget(place, before) end
  place = member
  if earlier then
    local at = string.format('%016.0f', tonumber(redis.call('HGET', KEYS[2], '') or 0) + 1)
    redis.call('HSET', KEYS[2], '', at, member, at)
    place = at .. member
  end
  redis.call('ZADD', KEYS[1], num(score), place)
  if dense then redis.call('ZADD', KEYS[3], num(score), num(score)) end
end
trim(tonumber(ARGV[6]), 16)
renew(ARGV[5])
return {held(member) and 'kept' or 'trimmed', before and num(before) or false, num(score)}
