//! The steps that Redis must take as one: constant scripts, each on exactly one key.
//!
//! A failing command inside is handed on as its own reply, because servers before Redis 7 would wrap it in
//! a text of their own and lose its code. What they refuse before they call it, such as a write on a replica, they wrap
//! all the same: that is taken off again.

use std::sync::LazyLock;

use redis::Script;

use crate::word::Word;

macro_rules! script {
    ($text:literal) => {
        LazyLock::new(|| {
            Atomic::new(concat!(
                "local function refusal(answer)
  return {err = string.gsub(answer.err, '^@user_script: %d+: %-', '')}
end
",
                $text
            ))
        })
    };
}

/// Keys: the record. Arguments: the expected version, the new value, its time to live in milliseconds.
pub(crate) static REPLACE: LazyLock<Atomic> = script!(
    "local found = redis.pcall('GETRANGE', KEYS[1], 0, 7)
if type(found) == 'table' then return refusal(found) end
if found == '' then return 'missing' end
if found == string.sub(ARGV[2], 1, 8) then return 'own' end
if found ~= ARGV[1] then return 'conflict' end
local set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if set.err then return refusal(set) end
return 'done'"
);

/// Keys: the record. Arguments: the expected version, the time to live in milliseconds.
///
/// A key that never expires reports -1, which is less than any time to live: it gets one.
pub(crate) static TOUCH: LazyLock<Atomic> = script!(
    "local found = redis.pcall('GETRANGE', KEYS[1], 0, 7)
if type(found) == 'table' then return refusal(found) end
if found == '' then return 'missing' end
if found ~= ARGV[1] then return 'conflict' end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  local set = redis.pcall('PEXPIRE', KEYS[1], ARGV[2])
  if type(set) == 'table' then return refusal(set) end
end
return 'done'"
);

/// Keys: the record, which stays as it is, or stays away. Arguments: a time to live in milliseconds for a key
/// that lost its own.
///
/// What counts is that something is written: servers from Redis 7.2 on let `WAIT` look only at what its own
/// connection wrote, and behind a mere look they count replicas that lack an earlier write.
pub(crate) static STAMP: LazyLock<Atomic> = script!(
    "local left = redis.call('PTTL', KEYS[1])
if left == -1 then left = tonumber(ARGV[1]) end
if left >= 0 then
  local set = redis.pcall('PEXPIRE', KEYS[1], math.max(left, 1))
  if type(set) == 'table' then return refusal(set) end
  return 'done'
end
local set = redis.pcall('SET', KEYS[1], '', 'PX', 1000)
if set.err then return refusal(set) end
redis.call('DEL', KEYS[1])
return 'done'"
);

/// Keys: the index of a principal. Arguments: the key of a session; its time to live in milliseconds; the version that
/// the index gets; the version that it has to have, or nothing where any will do; the keys that go.
///
/// Done once more it does the same. It gives the index its new version also where any would do and the key is new, so
/// that nobody is admitted who has not seen it. What has expired goes along, a hundred entries at a time. The first
/// write is the one that can be refused: nothing is done by halves.
pub(crate) static ENTER: LazyLock<Atomic> = script!(
    "local found = redis.pcall('ZSCORE', KEYS[1], 'v')
if type(found) == 'table' then return refusal(found) end
local version = found and string.format('%.0f', -tonumber(found)) or '0'
if ARGV[4] ~= '' and version ~= ARGV[4] and version ~= ARGV[3] then return 'conflict' end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local deadline = now + ARGV[2] * 1000
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if known and tonumber(known) < now then known = false end
if known then deadline = math.max(deadline, tonumber(known)) end
local entry = {string.format('%.0f', deadline), ARGV[1], string.format('%.0f', -now), 'e' .. ARGV[1]}
if ARGV[4] ~= '' or not known then
  entry[5], entry[6] = '-' .. ARGV[3], 'v'
end
local added = redis.pcall('ZADD', KEYS[1], unpack(entry))
if type(added) == 'table' then return refusal(added) end
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], 0, string.format('(%.0f', now), 'LIMIT', 0, 100)
for each = 5, #ARGV do
  if ARGV[each] ~= ARGV[1] then gone[#gone + 1] = ARGV[each] end
end
for first = 1, #gone, 500 do
  local members = {}
  for each = first, math.min(first + 499, #gone) do
    members[#members + 1] = gone[each]
    members[#members + 1] = 'e' .. gone[each]
  end
  redis.call('ZREM', KEYS[1], unpack(members))
end
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.ceil(last[2] / 1000)))
return 'done'"
);

/// Keys: the index of a principal. Arguments: how long ago a key must have been entered at least, in microseconds; the
/// keys that go, not more than a few hundred.
pub(crate) static REMOVE: LazyLock<Atomic> = script!(
    "local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local age = tonumber(ARGV[1])
local gone = {}
for each = 2, #ARGV do
  local entered = redis.pcall('ZSCORE', KEYS[1], 'e' .. ARGV[each])
  if type(entered) == 'table' then return refusal(entered) end
  if entered and (age == 0 or now + entered >= age) then
    gone[#gone + 1] = ARGV[each]
    gone[#gone + 1] = 'e' .. ARGV[each]
  end
end
if #gone == 0 then return 'missing' end
local removed = redis.pcall('ZREM', KEYS[1], unpack(gone))
if type(removed) == 'table' then return refusal(removed) end
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] and tonumber(last[2]) >= 0 then
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.ceil(last[2] / 1000)))
else
  redis.call('DEL', KEYS[1])
end
return 'done'"
);

/// A script, by its text and by the digest of it.
pub(crate) struct Atomic {
    text: &'static str,
    digest: Script,
}

impl Atomic {
    fn new(text: &'static str) -> Self {
        Self { text, digest: Script::new(text) }
    }

    /// Calls the script by its digest, as a server that has seen it understands.
    pub(crate) fn by_digest(&self) -> [Word<'_>; 2] {
        ["EVALSHA".into(), self.digest.get_hash().into()]
    }

    /// Calls the script by its text, which also makes the server remember it.
    pub(crate) fn by_text(&self) -> [Word<'_>; 2] {
        ["EVAL".into(), self.text.into()]
    }
}
