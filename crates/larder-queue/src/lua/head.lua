-- KEYS: jobs, order, groups, dead, done, unique keys, when unique keys end.
-- ARGV: the settings packed into one, then the program's own. All times are in microseconds.
--
-- jobs: under '' the state of the queue itself; for each job its state under its id, and its body under NUL and
-- its id.
-- order: FLOOR + priority * CLASS + place if the job can be taken, the time if it is hidden until then, and
-- LEASED + the end of its lease. NUL and a group stands there for the first waiting job of the group. '' is
-- behind them all, so that the key stays.
-- groups: 'w', group, NUL, priority, place, id of those that wait; 'b', group, NUL, id of those that occupy
-- it.
local FLOOR, CLASS, LEASED, NEVER = -9007199254740992, 1125899906842624, 4503599627370496, 9007199254740992
local at, changed, placed, sooner, wakes, looked_in_vain = now(), false, false, false, false, false
local latest, made, writes = 0, {}, {KEYS[1], '', ''}
local span, lease, max_attempts, most, max_keys, max_running, per_group, keeps_order, interval, burst, retention,
  max_done, max_dead = struct.unpack('<ddddddddddddd', ARGV[1])
