-- KEYS: meta, jobs, order, groups, dead, done, unique keys, when unique keys end.
-- ARGV: TTL, lease, most attempts, most jobs, most running (0: any), most running of a group (0: any),
-- whether groups keep their order, the interval and the burst of the rate (0: any), retention, most done
-- ids, most dead letters; then those of the program. All times are in microseconds.
--
-- order: FLOOR + priority * CLASS + place if the job can be taken, the time if it is hidden until then, and
-- LEASED + the end of its lease. '\0' and a group stands there for the first waiting job of the group.
-- groups: 'w', group, '\0', priority, place, id of those that wait; 'b', group, '\0', id of those that
-- occupy it.
local FLOOR, CLASS, LEASED = -9007199254740992, 1125899906842624, 4503599627370496
local at, changed, placed, sooner, latest, made = now(), false, false, false, 0, {}
local per_group, keeps_order = tonumber(ARGV[6]), ARGV[7] == '1'
local meta = redis.call('HMGET', KEYS[1], 'seq', 'fence', 'ends', 'paused', 'tat')
-- What is not a number of ours was not written here, and counts as none.
local function number(text)
  local n = tonumber(text or 0) or 0
  return n >= 0 and n < 9007199254740992 and n or 0
end
local seq, fence, ends = number(meta[1]), number(meta[2]), number(meta[3])
local seq_before, fence_before = seq, fence
if not meta[3] then
  -- What was made later than the first key may outlive it by a part of a millisecond.
  for i = 2, #KEYS do del(KEYS[i]) end
end

-- What is not of this form was not written here, and counts as absent.
local function parse(text)
  local c, s, a, f, e, d, u, kl, gl, rest =
    string.match(text or '', '^(%d),(%d+),(%d+),(%d+),(%d+),(%d+),([-dst]),(%d+),(%d+):(.*)$')
  if not c then return nil end
  kl, gl = tonumber(kl), tonumber(gl)
  return {
    c = tonumber(c), s = tonumber(s), a = tonumber(a), f = tonumber(f), e = tonumber(e), d = tonumber(d),
    u = u, k = string.sub(rest, 1, kl), g = string.sub(rest, kl + 1, kl + gl),
    r = string.sub(rest, kl + gl + 1),
  }
end

local function load(id) return parse(redis.call('HGET', KEYS[2], id)) end

local function text(j)
  local numbers = string.format('%d,%.0f,%d,%.0f,%.0f,%.0f,', j.c, j.s, j.a, j.f, j.e, j.d)
  return numbers .. j.u .. ',' .. #j.k .. ',' .. #j.g .. ':' .. j.k .. j.g .. j.r
end

local function save(id, j) redis.call('HSET', KEYS[2], id, text(j)) end

local function busy(g)
  return redis.call('ZLEXCOUNT', KEYS[4], '[b' .. g .. '\0', '(b' .. g .. '\1')
end

local function first_of(g)
  return redis.call('ZRANGEBYLEX', KEYS[4], '[w' .. g .. '\0', '(w' .. g .. '\1', 'LIMIT', 0, 1)[1]
end

local function waiting(id, j)
  return 'w' .. j.g .. '\0' .. j.c .. string.format('%016.0f', j.s) .. id
end

-- Keeps the token of a group if a job of it can be taken, in the priority of that job.
local function offer(g)
  local token, first = '\0' .. g, first_of(g)
  if not first or per_group > 0 and busy(g) >= per_group then
    redis.call('ZREM', KEYS[3], token)
    return
  end
  local class, rank = tonumber(string.sub(first, #g + 3, #g + 3)), redis.call('ZSCORE', KEYS[3], token)
  if not rank or math.floor((tonumber(rank) - FLOOR) / CLASS) ~= class then
    seq = seq + 1
    redis.call('ZADD', KEYS[3], num(FLOOR + class * CLASS + seq), token)
    made[3], placed = true, true
  end
end

-- Lets a job be taken, at its place or at the end.
local function place(id, j)
  if j.s == 0 then
    seq = seq + 1
    j.s = seq
  end
  if j.g == '' then
    redis.call('ZADD', KEYS[3], num(FLOOR + j.c * CLASS + j.s), id)
    made[3], placed = true, true
    return
  end
  redis.call('ZREM', KEYS[3], id)
  redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\0' .. id)
  redis.call('ZADD', KEYS[4], 0, waiting(id, j))
  made[4] = true
  offer(j.g)
end

-- Hides a job until it is due.
local function hide(id, j)
  redis.call('ZADD', KEYS[3], num(j.d), id)
  made[3], latest = true, math.max(latest, j.d)
  if j.g ~= '' and j.s > 0 and not keeps_order then
    redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\0' .. id)
    offer(j.g)
  end
  if redis.call('ZRANGEBYSCORE', KEYS[3], 0, '(' .. num(LEASED), 'LIMIT', 0, 1)[1] == id then sooner = true end
end

-- Frees the unique key of a job, if it is still its own.
local function free_key(id, j)
  if j.k ~= '' and redis.call('HGET', KEYS[7], j.k) == id then redis.call('HDEL', KEYS[7], j.k) end
end

-- Takes a job out of the line, and frees its group and its unique key.
local function leave(id, j)
  redis.call('ZREM', KEYS[3], id)
  if j.g ~= '' then
    redis.call('ZREM', KEYS[4], 'b' .. j.g .. '\0' .. id, waiting(id, j))
    offer(j.g)
  end
  if j.u == 'd' or j.u == 's' then free_key(id, j) end
end

local function forget(id) redis.call('HDEL', KEYS[2], id, '\0' .. id) end

-- Makes a job a dead letter, and removes the oldest past the cap.
local function bury(id, j, reason)
  leave(id, j)
  j.r = reason
  save(id, j)
  redis.call('ZADD', KEYS[5], num(at), id)
  made[5] = true
  local over = math.min(redis.call('ZCARD', KEYS[5]) - tonumber(ARGV[12]), 16)
  if over > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', KEYS[5], 0, over - 1)) do
      redis.call('ZREM', KEYS[5], oldest)
      forget(oldest)
    end
  end
end

-- Writes what is not of one job. Each key ends when the record does: its end moves when a sixteenth of the
-- TTL has passed or something is due later, and keys that were made meanwhile get the same end.
local function keep()
  local span = tonumber(ARGV[1])
  local needed = math.max(latest, at) + span
  local all = ends < needed - math.floor(span / 16)
  -- In whole milliseconds, so that the first key is never the last to end.
  if all then ends = at + math.floor((needed - at + 999) / 1000) * 1000 end
  if all or seq ~= seq_before or fence ~= fence_before then
    redis.call('HSET', KEYS[1], 'seq', num(seq), 'fence', num(fence), 'ends', num(ends))
  end
  local ms = math.floor((ends - at + 999) / 1000)
  for i = 1, #KEYS do
    if all or made[i] then ttl(KEYS[i], ms) end
  end
end

