// row.cpp: one row of ct_sample on the CPU.
#include "kernels/sampling/row.h"

#include <algorithm>
#include <functional>

namespace ct {

namespace {

constexpr float kInfinity = __builtin_inff();
constexpr auto kFirst = std::greater<uint64_t>();
constexpr int64_t kFew = 256;   // tokens that most rows cross their share within
constexpr int32_t kAhead = 32;  // tokens
constexpr int64_t kDense = 8;   // a list is worth it below a share of the row of 1 / this

int64_t chunks_of(int64_t n) { return (n + kChunk - 1) / kChunk; }

// A bound that at least `count` of the logits reach; -FLT_MAX (every logit but -inf) where the maxima cannot tell.
float bound_of(const float* maxima, float* spare, int64_t chunks, int64_t count) {
    if (count > chunks) return -FLT_MAX;
    std::copy_n(maxima, chunks, spare);
    std::nth_element(spare, spare + count - 1, spare + chunks, std::greater<float>());
    return std::max(spare[count - 1], -FLT_MAX);
}

// Moves the shortest beginning of the order `before` whose mass reaches `target` to the front, and gives the last key of it
// and its mass. Halves the part in which the crossing lies, as a selection does.
template <typename Weight, typename Before>
Reached select_mass(uint64_t* keys, int64_t size, uint64_t target, const Weight& weight, const Before& before) {
    int64_t begin = 0;
    int64_t end = size;
    uint64_t above = 0;
    while (end - begin > 32) {
        int64_t middle = begin + (end - begin) / 2;
        std::nth_element(keys + begin, keys + middle, keys + end, before);
        uint64_t half = 0;
        for (int64_t i = begin; i < middle; ++i) half += weight(keys[i]);
        if (above + half >= target) {
            end = middle;
        } else {
            above += half;
            begin = middle;
        }
    }
    std::sort(keys + begin, keys + end, before);
    for (; begin < end; ++begin) {
        above += weight(keys[begin]);
        if (above >= target) break;
    }
    return {keys[std::min(begin, size - 1)], above};
}

}  // namespace

size_t RowMemory::bytes(int64_t vocab_size) {
    auto tokens = static_cast<size_t>(chunks_of(vocab_size) * kChunk);
    return tokens * (sizeof(uint64_t) + 3 * sizeof(float)) + kBuckets * sizeof(uint64_t) +
           3 * tokens / kChunk * sizeof(float);
}

RowMemory RowMemory::at(void* memory, int64_t vocab_size) {
    auto chunks = static_cast<size_t>(chunks_of(vocab_size));
    auto tokens = chunks * static_cast<size_t>(kChunk);
    auto* keys = static_cast<uint64_t*>(memory);
    auto* values = reinterpret_cast<float*>(keys + tokens + kBuckets);
    float* small = values + 3 * tokens;
    return {keys,           keys + tokens,     values, values + tokens, values + 2 * tokens, small,
            small + chunks, small + 2 * chunks};
}

Row::Row(const SampleArgs& args, const SamplingPasses& passes, const RowMemory& memory, int64_t row,
         const float* maxima)
    : code(key_code(args.vocab_size)),
      a_(args),
      passes_(passes),
      m_(memory),
      p_(args.rows[row]),
      r_(row),
      n_(args.vocab_size),
      chunks_(chunks_of(args.vocab_size)),
      found_maxima_(maxima) {
    for (int i = 0; i < kWeightSteps; ++i) steps_[i] = weight_step(i);
}

// ---- edits ---------------------------------------------------------------------------------------------------------

bool Row::edits(int step) const {
    return step == CT_STEP_DRY ? p_.dry_begin < p_.dry_end : p_.state_slot >= 0 && has_penalties(p_);
}

int32_t Row::begin() {
    const bool masked = p_.mask_row >= 0 || p_.allowed_row >= 0;
    const bool sums = p_.bias_begin < p_.bias_end || edits(CT_STEP_DRY) || edits(CT_STEP_PENALTIES);
    const int64_t at = r_ * a_.logits_stride;
    if (a_.logits_dtype == CT_BF16) {
        passes_.chunk_maxima_bf16(m_.maxima, m_.values, static_cast<const bf16*>(a_.logits) + at, n_);
        values_ = m_.values;
        maxima_ = m_.maxima;
    } else {
        values_ = static_cast<const float*>(a_.logits) + at;
        maxima_ = found_maxima_;
        if (masked || sums || !maxima_) {
            passes_.chunk_maxima(m_.maxima, masked || sums ? m_.values : nullptr, values_, n_);
            if (masked || sums) values_ = m_.values;
            maxima_ = m_.maxima;
        }
    }
    if (*std::max_element(maxima_, maxima_ + chunks_) == kInfinity) return CT_SAMPLE_NOT_FINITE;
    if (masked) {
        for (int32_t row : {p_.mask_row, p_.allowed_row}) {
            if (row >= 0) passes_.mask(m_.values, a_.masks + row * a_.mask_stride, n_);
        }
        passes_.chunk_maxima(m_.maxima, nullptr, m_.values, n_);
    }
    add_bias(p_.bias_begin, p_.bias_end, true);
    if (*std::max_element(maxima_, maxima_ + chunks_) < -FLT_MAX) return CT_SAMPLE_EMPTY;
    allowed_ = values_;
    allowed_maxima_ = maxima_;
    const bool reports_raw = (p_.flags & CT_SAMPLE_LOGPROBS) != 0 && (p_.flags & CT_SAMPLE_PROCESSED) == 0;
    if (sums && reports_raw) {
        std::copy_n(values_, n_, m_.allowed);
        std::copy_n(maxima_, chunks_, m_.reported);
        allowed_ = m_.allowed;
        allowed_maxima_ = m_.reported;
    }
    add_bias(p_.bias_begin, p_.bias_end, false);
    return CT_SAMPLE_OK;
}

void Row::add_bias(int64_t begin, int64_t end, bool bans) {
    for (int64_t i = begin; i < end; ++i) {
        const int32_t id = a_.bias_ids[i];
        const float bias = a_.bias_values[i];
        if (id >= 0 && id < n_ && (bias < -FLT_MAX) == bans) put(id, biased(m_.values[id], bias));
    }
}

void Row::put(int64_t id, float logit) {
    const float before = m_.values[id];
    m_.values[id] = logit;
    float& largest = m_.maxima[id / kChunk];
    if (!(logit < kInfinity)) {
        not_finite_ = true;
    } else if (logit >= largest) {
        largest = logit;
    } else if (before >= largest) {
        const int64_t begin = id / kChunk * kChunk;
        largest = *std::max_element(m_.values + begin, m_.values + std::min(n_, begin + kChunk));
    }
}

void Row::edit(int step) {
    if (!edits(step)) return;
    if (has_run_) return rekey(step);
    if (step == CT_STEP_DRY) {
        for (int64_t i = p_.dry_begin; i < p_.dry_end; ++i) {
            const int32_t id = a_.bias_ids[i];
            if (id >= 0 && id < n_) put(id, biased(m_.values[id], a_.bias_values[i]));
        }
        return;
    }
    const int32_t* slot = a_.state + p_.state_slot * slot_words(n_);
    const int32_t* counts = slot + kSlotHead;
    const int32_t* distinct = counts + padded_vocab(n_);
    const int32_t n = slot[kSlotDistinct];
    for (int32_t i = 0; i < n; ++i) {
        const int32_t id = distinct[i];
        // The counts are all over the slot: memory's latency must not be waited for one by one.
        if (i + kAhead < n) __builtin_prefetch(counts + distinct[i + kAhead]);
        put(id, penalised(m_.values[id], static_cast<uint32_t>(counts[id]), p_));
    }
}

// Edits what is kept, as a list.
void Row::rekey(int step) {
    if (!is_list()) {
        int64_t size = 0;
        each_key([&](uint64_t key, float) { m_.keys[size++] = key; });
        listed_ = size;
    }
    const int32_t* counts = step == CT_STEP_PENALTIES ? a_.state + p_.state_slot * slot_words(n_) + kSlotHead : nullptr;
    if (!counts) {
        for (int64_t i = p_.dry_begin; i < p_.dry_end; ++i) {
            if (a_.bias_ids[i] >= 0 && a_.bias_ids[i] < n_) m_.kept[a_.bias_ids[i]] = __builtin_nanf("");
        }
        each_key([&](uint64_t key, float logit) { m_.kept[code.id(key)] = logit; });
        for (int64_t i = p_.dry_begin; i < p_.dry_end; ++i) {
            if (a_.bias_ids[i] < 0 || a_.bias_ids[i] >= n_) continue;
            float& logit = m_.kept[a_.bias_ids[i]];
            if (!std::isnan(logit)) logit = biased(logit, a_.bias_values[i]);
        }
    }
    for (int64_t i = 0; i < listed_; ++i) {
        const int64_t id = code.id(m_.keys[i]);
        const float logit =
            counts ? penalised(code.logit(m_.keys[i]), static_cast<uint32_t>(counts[id]), p_) : m_.kept[id];
        not_finite_ = not_finite_ || !(logit < kInfinity);
        m_.keys[i] = code.key(logit, id);
    }
}

int32_t Row::survey() {
    has_run_ = true;
    if (not_finite_) return CT_SAMPLE_NOT_FINITE;
    range = whole_range(code);
    known_mass_ = 0;
    has_buckets_ = false;
    gathered_ = 0;
    if (is_list()) {
        narrow(0);
        if (listed_ == 0) return CT_SAMPLE_EMPTY;
        begin_at(*std::max_element(m_.keys, m_.keys + listed_));
        return CT_SAMPLE_OK;
    }
    const float largest = *std::max_element(maxima_, maxima_ + chunks_);
    if (largest < -FLT_MAX) return CT_SAMPLE_EMPTY;
    int64_t id = (std::find(maxima_, maxima_ + chunks_, largest) - maxima_) * kChunk;
    while (values_[id] != largest) ++id;
    begin_at(code.key(largest, id));
    return CT_SAMPLE_OK;
}

void Row::begin_at(uint64_t key) {
    best = key;
    top = code.logit(key);
    known_mass_ = 0;
    has_buckets_ = false;
}

void Row::retemper(double to) {
    temperature = to;
    known_mass_ = 0;
    has_buckets_ = false;
}

// ---- questions -----------------------------------------------------------------------------------------------------

// body(key, logit) for what is kept.
template <typename Body>
void Row::each_key(const Body& body) const {
    if (is_list()) {
        for (int64_t i = 0; i < listed_; ++i) {
            if (range.contains(m_.keys[i])) body(m_.keys[i], code.logit(m_.keys[i]));
        }
        return;
    }
    const float low = low_logit();
    const float high = high_logit();
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
        if (maxima_[chunk] < low) continue;
        const int64_t end = std::min(n_, (chunk + 1) * kChunk);
        for (int64_t i = chunk * kChunk; i < end; ++i) {
            if (values_[i] < low || values_[i] > high) continue;
            const uint64_t key = code.key(values_[i], i);
            if (range.contains(key)) body(key, values_[i]);
        }
    }
}

uint64_t Row::weight_of(uint64_t key) const {
    const Weigher w = weigher();
    return w.weight(w.exponent(code.logit(key)), steps_);
}

// Logits at the range's ends that lie outside it; *below of them at the lower end.
int64_t Row::ties_outside(int64_t* below) const {
    const float low = low_logit();
    const int64_t last = code.id(range.low);
    *below = range.low == code.last_key(low) ? 0 : passes_.count(values_ + last + 1, n_ - last - 1, low, low);
    if (range.high == UINT64_MAX) return *below;
    const float high = high_logit();
    const bool whole = range.high == code.first_key(high);
    return *below + (whole ? 0 : passes_.count(values_, code.id(range.high), high, high));
}

uint64_t Row::count() {
    if (is_list()) return static_cast<uint64_t>(listed_);
    int64_t below = 0;
    const int64_t outside = ties_outside(&below);
    return static_cast<uint64_t>(passes_.count(values_, n_, low_logit(), high_logit()) - outside);
}

uint64_t Row::mass() {
    if (known_mass_ != 0) return known_mass_;
    const Weigher w = weigher();
    uint64_t sum = 0;
    if (is_list()) {
        for (int64_t i = 0; i < listed_; ++i) sum += weight_of(m_.keys[i]);
    } else {
        int64_t below = 0;
        const int64_t outside = ties_outside(&below);
        sum = passes_.mass(values_, n_, w, low_logit(), high_logit());
        sum -= static_cast<uint64_t>(below) * w.weight(w.exponent(low_logit()), steps_);
        if (outside > below) {
            sum -= static_cast<uint64_t>(outside - below) * w.weight(w.exponent(high_logit()), steps_);
        }
        const KeyRange all = whole_range(code);
        if (temperature == 1 && range.low == all.low && range.high == all.high) plain_mass_ = sum;
    }
    known_mass_ = sum;
    return sum;
}

// Puts at least the first `wanted` of the range into m_.keys, all from some key on; all there are where they are fewer.
int64_t Row::gather_first(int64_t wanted) {
    if (is_list()) return listed_;
    // With a beginning cut off, the maxima tell of tokens that are gone.
    const float bound = range.high == UINT64_MAX ? bound_of(maxima_, m_.spare, chunks_, wanted) : -FLT_MAX;
    const float low = std::max(bound, low_logit());
    int64_t size = passes_.gather(m_.keys, values_, maxima_, n_, code, low, high_logit());
    gathered_low_ = std::max(range.low, code.last_key(low));
    auto outside = [this](uint64_t key) { return !range.contains(key); };
    size = std::remove_if(m_.keys, m_.keys + size, outside) - m_.keys;
    gathered_ = size;
    return size;
}

uint64_t Row::key_at_count(uint64_t k) {
    const auto wanted = static_cast<int64_t>(k);
    const int64_t size = gather_first(wanted);
    if (size < wanted) return range.low;
    std::nth_element(m_.keys, m_.keys + wanted - 1, m_.keys + size, kFirst);
    return m_.keys[wanted - 1];
}

Reached Row::key_at_mass(uint64_t target) {
    auto weight = [this](uint64_t key) { return weight_of(key); };
    if (is_list()) return select_mass(m_.keys, listed_, target, weight, kFirst);
    if (!has_buckets_) {
        const int64_t size = gather_first(std::min(kFew, chunks_));
        uint64_t sum = 0;
        for (int64_t i = 0; i < size; ++i) sum += weight_of(m_.keys[i]);
        if (sum >= target) return select_mass(m_.keys, size, target, weight, kFirst);
    }
    // What is deeper than 44 nats weighs nothing.
    const double deepest = std::min(static_cast<double>(top) - static_cast<double>(low_logit()), 44 * temperature);
    return reach<true>(deepest, target,
                       [this](float logit) { return static_cast<double>(top) - static_cast<double>(logit); });
}

// The same in the order of depth, by a histogram: buckets of equal depth, then the one that the target falls into.
template <bool kAlongTheOrder, typename Depth>
Reached Row::reach(double deepest, uint64_t target, const Depth& depth) {
    constexpr int kLast = RowMemory::kBuckets - 1;
    const Weigher w = weigher();
    if (!has_buckets_) {
        const double scale = RowMemory::kBuckets / deepest;
        bucket_scale_ = scale < DBL_MAX ? scale : 0;
    }
    const double scale = bucket_scale_;
    auto bucket = [&](float logit) {
        const double at = depth(logit) * scale;
        return at < kLast ? static_cast<int>(at) : kLast;
    };
    if (!has_buckets_) {
        std::fill_n(m_.masses, RowMemory::kBuckets, uint64_t{0});
        const float low = low_logit();
        const float high = high_logit();
        for (int64_t begin = 0; begin < n_; begin += kChunk) {
            if (maxima_[begin / kChunk] < low) continue;
            uint64_t weights[kChunk];
            const int64_t size = std::min(kChunk, n_ - begin);
            const float* logits = values_ + begin;
            passes_.weights(weights, logits, size, w);
            for (int64_t i = 0; i < size; ++i) {
                // Only at its ends the range goes by ids as well.
                if (logits[i] < low || logits[i] > high) continue;
                const bool is_end = logits[i] == low || logits[i] == high;
                if (is_end && !range.contains(code.key(logits[i], begin + i))) continue;
                m_.masses[bucket(logits[i])] += weights[i];
            }
        }
        has_buckets_ = true;
    }
    uint64_t above = 0;
    int chosen = 0;
    for (; chosen < kLast && above + m_.masses[chosen] < target; ++chosen) above += m_.masses[chosen];
    int64_t size = 0;
    gathered_ = 0;
    if (kAlongTheOrder) {
        // Wider by a bucket on both sides than rounding needs.
        const auto at = [&](int edge) { return static_cast<double>(top) - edge / scale; };
        const float high =
            scale > 0 && chosen > 1 ? std::min(high_logit(), static_cast<float>(at(chosen - 1))) : high_logit();
        const float low =
            scale > 0 && chosen < kLast ? std::max(low_logit(), least_float(at(chosen + 2), FLT_MAX)) : low_logit();
        size = passes_.gather(m_.keys, values_, maxima_, n_, code, low, high);
        auto others = [&](uint64_t key) { return !range.contains(key) || bucket(code.logit(key)) != chosen; };
        size = std::remove_if(m_.keys, m_.keys + size, others) - m_.keys;
    } else {
        each_key([&](uint64_t key, float logit) {
            m_.keys[size] = key;
            size += bucket(logit) == chosen;
        });
    }
    auto before = [&](uint64_t a, uint64_t b) {
        const double x = depth(code.logit(a));
        const double y = depth(code.logit(b));
        return x < y || (x == y && a > b);
    };
    Reached reached =
        select_mass(m_.keys, size, target - above, [this](uint64_t key) { return weight_of(key); }, before);
    reached.mass += above;
    return reached;
}

double Row::near(double center, uint64_t target) {
    auto distance = [center](float logit) { return std::fabs(static_cast<double>(logit) - center); };
    Reached reached{};
    has_buckets_ = false;
    if (is_list()) {
        auto before = [&](uint64_t a, uint64_t b) { return distance(code.logit(a)) < distance(code.logit(b)); };
        reached = select_mass(m_.keys, listed_, target, [this](uint64_t key) { return weight_of(key); }, before);
    } else {
        const double depth = std::min(static_cast<double>(top) - static_cast<double>(low_logit()), 44 * temperature);
        reached = reach<false>(depth, target, distance);
    }
    has_buckets_ = false;
    return distance(code.logit(reached.key));
}

uint64_t Row::first_of(uint64_t high) {
    uint64_t first = 0;
    each_key([&](uint64_t key, float) { first = key <= high ? std::max(first, key) : first; });
    return first;
}

uint64_t Row::last_of(uint64_t low) {
    uint64_t last = UINT64_MAX;
    each_key([&](uint64_t key, float) { last = key >= low ? std::min(last, key) : last; });
    return last;
}

Spread Row::spread() {
    const Weigher w = weigher();
    Spread s{0, 0};
    each_key([&](uint64_t, float logit) {
        const uint64_t exponent = w.exponent(logit);
        const uint64_t weight = w.weight(exponent, steps_);
        s.mass += weight;
        s.moment += weight_times(weight, exponent);
    });
    return s;
}

double Row::deviation() {
    Moments moments(top, code.logit(last_of(range.low)));
    each_key([&](uint64_t, float logit) { moments.add(logit); });
    return moments.deviation();
}

const uint64_t* Row::first_keys(int* n) {
    *n = static_cast<int>(std::min<uint64_t>(kTopHTokens, count()));
    key_at_count(static_cast<uint64_t>(*n));
    std::sort(m_.keys, m_.keys + *n, kFirst);
    return m_.keys;
}

void Row::narrow(uint64_t mass) {
    known_mass_ = mass;
    auto outside = [this](uint64_t key) { return !range.contains(key); };
    if (range.low == range.high) {
        m_.keys[0] = range.low;
        listed_ = 1;
    } else if (is_list()) {
        listed_ = std::remove_if(m_.keys, m_.keys + listed_, outside) - m_.keys;
    } else if (gathered_ > 0 && gathered_low_ <= range.low) {
        const int64_t kept = std::remove_if(m_.keys, m_.keys + gathered_, outside) - m_.keys;
        gathered_ = 0;
        if (kept <= n_ / kDense) listed_ = kept;
    } else {
        const float low = low_logit();
        auto reaches = [low](float largest) { return largest >= low; };
        if (std::count_if(maxima_, maxima_ + chunks_, reaches) > chunks_ / kDense) return;
        const int64_t size = passes_.gather(m_.keys, values_, maxima_, n_, code, low, high_logit());
        listed_ = std::remove_if(m_.keys, m_.keys + size, outside) - m_.keys;
    }
}

// ---- what is reported ----------------------------------------------------------------------------------------------

void Row::report(int64_t token) {
    if (p_.flags & CT_SAMPLE_PROCESSED) {
        report_processed(token);
    } else {
        report_raw(token);
    }
}

void Row::write_tops(uint64_t* keys, int64_t n, float largest, double rate, double log_mass) {
    const int64_t wanted = std::min<int64_t>(p_.num_top, n);
    if (wanted <= 0) return;
    std::partial_sort(keys, keys + wanted, keys + n, kFirst);
    for (int64_t i = 0; i < wanted; ++i) {
        const double depth = static_cast<double>(largest) - static_cast<double>(code.logit(keys[i]));
        a_.top_ids[r_ * a_.max_top + i] = static_cast<int32_t>(code.id(keys[i]));
        a_.top_logprobs[r_ * a_.max_top + i] = static_cast<float>(-depth * rate - log_mass);
    }
}

void Row::report_raw(int64_t token) {
    const float largest = *std::max_element(allowed_maxima_, allowed_maxima_ + chunks_);
    const Weigher w{static_cast<double>(largest), kLog2E, code.id_bits};
    const bool known = plain_mass_ != 0 && allowed_ == values_;
    const uint64_t mass = known ? plain_mass_ : passes_.mass(allowed_, n_, w, -FLT_MAX, FLT_MAX);
    const double log_mass = std::log(static_cast<double>(mass) / w.unit());
    const float logit = allowed_[token];
    a_.logprob[r_] = static_cast<float>(static_cast<double>(logit) - w.top - log_mass);
    const float above = ordered_float(ordered_bits(logit) + 1);
    const int64_t before = passes_.count(allowed_, n_, above, FLT_MAX) + passes_.count(allowed_, token, logit, logit);
    a_.rank[r_] = static_cast<int32_t>(before + 1);
    const int64_t wanted = std::min<int64_t>(p_.num_top, n_);
    if (wanted <= 0) return;
    const float bound = bound_of(allowed_maxima_, m_.spare, chunks_, wanted);
    const int64_t size = passes_.gather(m_.keys, allowed_, allowed_maxima_, n_, code, bound, FLT_MAX);
    write_tops(m_.keys, size, largest, 1, log_mass);
}

void Row::report_processed(int64_t token) {
    const double log_mass = std::log(static_cast<double>(mass()) / unit_of(code));
    uint64_t own = 0;
    uint64_t before = 0;
    each_key([&](uint64_t key, float) { own = code.id(key) == token ? key : own; });
    if (own != 0) each_key([&](uint64_t key, float) { before += key > own; });
    const double depth = static_cast<double>(top) - static_cast<double>(code.logit(own));
    a_.logprob[r_] = own != 0 ? static_cast<float>(-depth / temperature - log_mass) : -kInfinity;
    a_.rank[r_] = static_cast<int32_t>((own != 0 ? before : count()) + 1);
    if (p_.num_top <= 0) return;
    const int64_t size = gather_first(std::min<int64_t>(p_.num_top, n_));
    write_tops(m_.keys, size, top, 1 / temperature, log_mass);
}

}  // namespace ct
