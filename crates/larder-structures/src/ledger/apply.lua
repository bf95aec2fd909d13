-- KEYS: balances, of which '' is the total with what is held; requests by id; when ids are forgotten.
-- ARGV: request, id, fingerprint, from, to, amount, retention in microseconds, TTL in milliseconds, the
-- most ids, the most accounts.
-- A request is kept as a letter, its fingerprint, and for a hold '<amount>:<account>' while it is open or
-- the fingerprint of what closed it. 'd' is done, 'i' insufficient, 'h' held, 's' settled, 'r' released.
local op, id, print, from, to, amount = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local now = now()

local entry = redis.call('HGET', KEYS[2], id)
local due = entry and redis.call('ZSCORE', KEYS[3], id)
if due and tonumber(due) <= now then entry = false end
local code = entry and string.sub(entry, 1, 1)

local closes = op == 'settle' or op == 'release'
if closes then
  if not entry or code == 'd' or code == 'i' then return {'unknown', ''} end
  local rest = string.sub(entry, 18)
  if code ~= 'h' then return {rest == print and 'duplicate' or 'contrary', 'done'} end
  amount, from = string.match(rest, '^(%d+):(.*)$')
  amount = int(amount)
  if not amount then return {'unknown', ''} end
  if op == 'release' then to = from end
elseif entry then
  if string.sub(entry, 2, 17) ~= print then return {'conflict', ''} end
  return {'duplicate', code == 'i' and 'insufficient' or 'done'}
end

local function balance(account) return int(redis.call('HGET', KEYS[1], account)) or 0 end
local function move(account, by)
  local sum = balance(account) + by
  if sum == 0 then
    redis.call('HDEL', KEYS[1], account)
  else
    redis.call('HSET', KEYS[1], account, num(sum))
  end
end

if op == 'credit' and amount > 9007199254740992 - balance('') then return {'past', ''} end
local done = 'd'
if (op == 'transfer' or op == 'hold') and balance(from) < amount then done = 'i' end

for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', num(now), 'LIMIT', 0, 64)) do
  redis.call('HDEL', KEYS[2], old)
  redis.call('ZREM', KEYS[3], old)
end
if not closes and redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[9]) then return {'full', ''} end
-- What was held is given back though others have taken the room of its account.
if done == 'd' and to ~= '' and op ~= 'release' and redis.call('HEXISTS', KEYS[1], to) == 0
  and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[10]) then
  return {'full', ''}
end

if done == 'd' then
  if op == 'transfer' or op == 'hold' then move(from, -amount) end
  if op ~= 'hold' and to ~= '' then move(to, amount) end
  if op == 'credit' then move('', amount) end
  if op == 'settle' and to == '' then move('', -amount) end
end

if op == 'hold' and done == 'd' then
  redis.call('HSET', KEYS[2], id, 'h' .. print .. num(amount) .. ':' .. from)
  redis.call('ZREM', KEYS[3], id)
else
  local text = done .. print
  if closes then text = (op == 'settle' and 's' or 'r') .. string.sub(entry, 2, 17) .. print end
  redis.call('HSET', KEYS[2], id, text)
  redis.call('ZADD', KEYS[3], num(now + tonumber(ARGV[7])), id)
end
for _, key in ipairs(KEYS) do ttl(key, ARGV[8]) end
return {done == 'i' and 'insufficient' or 'done', ''}
