/* A stand-in for libnccl.so.2 on a machine without a GPU: ranks are threads of one process, addresses are the host's.
 * It has the functions that io.cortado.device.Nccl calls, with NCCL's signatures, writes each call down, and moves the
 * bytes. As a communicator that does not block, a group's end returns ncclInProgress and the work is done by a thread;
 * given a stream (of a device whose streams are this library's own: simt) it is done there in the stream's order, and
 * the stream waits for the peers as a GPU's does.
 *
 * Tests steer it by fake_nccl_*: a call of a function fails, a communicator stays in progress or has an error of its
 * own, a rank stalls. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kSuccess = 0, kInvalidArgument = 4, kInvalidUsage = 5, kInProgress = 7 };
enum { kMaxRanks = 8, kMaxOps = 64, kIdBytes = 128, kUint8 = 1, kLogBytes = 1 << 20 };

typedef struct {
    char internal[kIdBytes];
} unique_id;

typedef struct {
    size_t size;
    unsigned int magic;
    unsigned int version;
    int blocking;
} config_head;

/* A message under way. */
typedef struct message {
    struct message* next;
    size_t bytes;
    char data[];
} message;

/* All that communicators of one id share. */
typedef struct world {
    struct world* next;
    unique_id id;
    int size;
    int present;
    message* queues[kMaxRanks][kMaxRanks]; /* [from][to], the oldest first */
} world;

typedef struct {
    int is_send;
    char* address;
    size_t bytes;
    int peer;
} operation;

typedef struct comm {
    world* in;
    int rank;
    int is_aborted;
    int num_tasks; /* groups in streams, not done yet */
    int is_busy; /* a group's work is under way */
    int is_stalled;
    int async_error;
    int polls_left; /* while it is positive, a poll tells ncclInProgress */
    pthread_t worker;
    int has_worker;
    int num_ops;
    operation ops[kMaxOps];
} comm;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* A group's work in a stream. */
typedef struct {
    comm* of;
    int num_ops;
    operation ops[];
} task;

/* ct_stream_call of the library under test; NULL: streams are not used. */
static int (*stream_call)(void* stream, void (*function)(void*), void* argument);

static world* worlds;
static comm* latest[kMaxRanks]; /* by rank; NULL once it has ended */
static uint64_t last_id;
static int stalled_rank = -1;
static int init_polls;
static char failing[64];
static int fail_at;
static int fail_code;
static char log_text[kLogBytes];
static size_t log_length;

/* Of the thread that has a group open. */
static __thread int group_depth;
static __thread comm* group_comm;
static __thread void* group_stream;

/* Writes a call down; its injected status, or ncclSuccess. Holds the lock. */
__attribute__((format(printf, 2, 3))) static int called(const char* function, const char* format, ...) {
    char arguments[256];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof(arguments), format, list);
    va_end(list);
    int written =
        snprintf(log_text + log_length, sizeof(log_text) - log_length, "%s(%s)\n", function, arguments);
    if (written > 0 && (size_t)written < sizeof(log_text) - log_length) log_length += (size_t)written;
    if (strcmp(failing, function) == 0 && --fail_at == 0) return fail_code;
    return kSuccess;
}

/* ---- What tests steer ---- */

__attribute__((visibility("default"))) void fake_nccl_reset(void) {
    pthread_mutex_lock(&lock);
    log_length = 0;
    log_text[0] = 0;
    failing[0] = 0;
    init_polls = 0;
    stalled_rank = -1;
    pthread_mutex_unlock(&lock);
}

/* The calls so far, a line each; valid until the next call of it. */
__attribute__((visibility("default"))) const char* fake_nccl_calls(void) {
    static char copy[kLogBytes];
    pthread_mutex_lock(&lock);
    memcpy(copy, log_text, log_length + 1);
    pthread_mutex_unlock(&lock);
    return copy;
}

/* The nth call of a function from now on gives this status. */
__attribute__((visibility("default"))) void fake_nccl_fail(const char* function, int nth, int status) {
    pthread_mutex_lock(&lock);
    snprintf(failing, sizeof(failing), "%s", function);
    fail_at = nth;
    fail_code = status;
    pthread_mutex_unlock(&lock);
}

/* A new communicator tells ncclInProgress so many times. */
__attribute__((visibility("default"))) void fake_nccl_init_polls(int polls) {
    pthread_mutex_lock(&lock);
    init_polls = polls;
    pthread_mutex_unlock(&lock);
}

/* Streams that are given are ones of the library that has this ct_stream_call. */
__attribute__((visibility("default"))) void fake_nccl_streams(int (*call)(void*, void (*)(void*), void*)) {
    pthread_mutex_lock(&lock);
    stream_call = call;
    pthread_mutex_unlock(&lock);
}

/* From its next group on this rank does nothing, as a process that was stopped; -1: none. */
__attribute__((visibility("default"))) void fake_nccl_stall(int rank) {
    pthread_mutex_lock(&lock);
    stalled_rank = rank;
    pthread_mutex_unlock(&lock);
}

/* The latest communicator of a rank has this error from now on. */
__attribute__((visibility("default"))) void fake_nccl_async_error(int rank, int status) {
    pthread_mutex_lock(&lock);
    if (latest[rank]) latest[rank]->async_error = status;
    pthread_mutex_unlock(&lock);
}

/* ---- NCCL ---- */

#define NCCL_API __attribute__((visibility("default")))

NCCL_API int ncclGetVersion(int* version) {
    *version = 23007;
    return kSuccess;
}

NCCL_API const char* ncclGetErrorString(int status) {
    switch (status) {
        case kSuccess: return "no error";
        case kInvalidArgument: return "invalid argument";
        case kInProgress: return "NCCL operation in progress";
        default: return "a fake error";
    }
}

NCCL_API int ncclGetUniqueId(unique_id* id) {
    pthread_mutex_lock(&lock);
    memset(id, 0, sizeof(*id));
    ++last_id;
    memcpy(id->internal, &last_id, sizeof(last_id));
    int status = called("ncclGetUniqueId", "%s", "");
    pthread_mutex_unlock(&lock);
    return status;
}

/* The world of an id, made by the first who asks. Holds the lock. */
static world* world_of(const unique_id* id, int size) {
    for (world* w = worlds; w; w = w->next) {
        if (memcmp(&w->id, id, sizeof(*id)) == 0) return w->size == size ? w : NULL;
    }
    world* w = calloc(1, sizeof(world));
    w->id = *id;
    w->size = size;
    w->next = worlds;
    worlds = w;
    return w;
}

NCCL_API int ncclCommInitRankConfig(comm** out, int size, unique_id id, int rank, config_head* config) {
    pthread_mutex_lock(&lock);
    int status = called("ncclCommInitRankConfig", "%d, %d, blocking=%d", size, rank, config->blocking);
    int is_right = config->magic == 0xcafebeef && config->size >= sizeof(config_head) && rank >= 0 && rank < size &&
                   size <= kMaxRanks;
    world* w = status == kSuccess && is_right ? world_of(&id, size) : NULL;
    if (w) {
        comm* c = calloc(1, sizeof(comm));
        c->in = w;
        c->rank = rank;
        c->polls_left = init_polls;
        w->present++;
        latest[rank] = c;
        pthread_cond_broadcast(&changed);
        *out = c;
        status = config->blocking ? kSuccess : kInProgress;
    } else if (status == kSuccess) {
        status = kInvalidArgument;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

NCCL_API int ncclCommGetAsyncError(comm* c, int* async_error) {
    pthread_mutex_lock(&lock);
    if (c->async_error) {
        *async_error = c->async_error;
    } else if (c->polls_left > 0) {
        c->polls_left--;
        *async_error = kInProgress;
    } else {
        *async_error = c->in->present < c->in->size || c->is_busy ? kInProgress : kSuccess;
    }
    pthread_mutex_unlock(&lock);
    return kSuccess;
}

/* Waits for a group's work to end. Holds the lock. */
static void join(comm* c) {
    if (c->has_worker) {
        pthread_mutex_unlock(&lock);
        pthread_join(c->worker, NULL);
        pthread_mutex_lock(&lock);
        c->has_worker = 0;
    }
}

/* The world stays for its other ranks, and forever: a test's are few. */
static int ended(comm* c, const char* function) {
    pthread_mutex_lock(&lock);
    int status = called(function, "%d", c->rank);
    c->is_aborted = 1;
    if (latest[c->rank] == c) latest[c->rank] = NULL;
    pthread_cond_broadcast(&changed);
    join(c);
    while (c->num_tasks > 0) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    free(c);
    return status;
}

NCCL_API int ncclCommAbort(comm* c) { return ended(c, "ncclCommAbort"); }

NCCL_API int ncclCommDestroy(comm* c) { return ended(c, "ncclCommDestroy"); }

NCCL_API int ncclGroupStart(void) {
    pthread_mutex_lock(&lock);
    int status = called("ncclGroupStart", "%s", "");
    if (status == kSuccess) group_depth++;
    pthread_mutex_unlock(&lock);
    return status;
}

/* Holds the lock. */
static int add(comm* c, int is_send, void* address, size_t bytes, int peer, void* stream) {
    if (group_depth == 0 || peer < 0 || peer >= c->in->size || c->num_ops == kMaxOps) return kInvalidUsage;
    group_comm = c;
    group_stream = stream;
    operation* op = &c->ops[c->num_ops++];
    op->is_send = is_send;
    op->address = address;
    op->bytes = bytes;
    op->peer = peer;
    return kSuccess;
}

NCCL_API int ncclSend(void* from, size_t count, int type, int peer, comm* c, void* stream) {
    pthread_mutex_lock(&lock);
    int status = called("ncclSend", "%zu, %d, %d->%d", count, type, c->rank, peer);
    if (status == kSuccess) status = type == kUint8 ? add(c, 1, from, count, peer, stream) : kInvalidArgument;
    pthread_mutex_unlock(&lock);
    return status;
}

NCCL_API int ncclRecv(void* to, size_t count, int type, int peer, comm* c, void* stream) {
    pthread_mutex_lock(&lock);
    int status = called("ncclRecv", "%zu, %d, %d<-%d", count, type, c->rank, peer);
    if (status == kSuccess) status = type == kUint8 ? add(c, 0, to, count, peer, stream) : kInvalidArgument;
    pthread_mutex_unlock(&lock);
    return status;
}

/* Holds the lock. */
static void post(comm* c, const operation* op) {
    message* m = malloc(sizeof(message) + op->bytes);
    m->next = NULL;
    m->bytes = op->bytes;
    memcpy(m->data, op->address, op->bytes);
    message** last = &c->in->queues[c->rank][op->peer];
    while (*last) last = &(*last)->next;
    *last = m;
    pthread_cond_broadcast(&changed);
}

/* Holds the lock. */
static void fetch(comm* c, const operation* op) {
    message** first = &c->in->queues[op->peer][c->rank];
    while (!*first && !c->is_aborted) pthread_cond_wait(&changed, &lock);
    if (c->is_aborted) return;
    message* m = *first;
    *first = m->next;
    memcpy(op->address, m->data, m->bytes < op->bytes ? m->bytes : op->bytes);
    if (m->bytes != op->bytes) c->async_error = kInvalidUsage;
    free(m);
}

/* Holds the lock. */
static void exchange(comm* c, const operation* ops, int num_ops) {
    while (c->is_stalled && !c->is_aborted) pthread_cond_wait(&changed, &lock);
    for (int i = 0; i < num_ops && !c->is_aborted; i++) {
        if (ops[i].is_send) post(c, &ops[i]);
    }
    for (int i = 0; i < num_ops && !c->is_aborted; i++) {
        if (!ops[i].is_send) fetch(c, &ops[i]);
    }
}

static void* work(void* argument) {
    comm* c = argument;
    pthread_mutex_lock(&lock);
    exchange(c, c->ops, c->num_ops);
    c->num_ops = 0;
    c->is_busy = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* What the stream calls. A communicator that ends waits for it. */
static void run_task(void* argument) {
    task* t = argument;
    pthread_mutex_lock(&lock);
    exchange(t->of, t->ops, t->num_ops);
    t->of->num_tasks--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    free(t);
}

/* Holds the lock, but not while the stream takes the work: it may have to make room first. */
static int enqueue(comm* c, void* stream) {
    task* t = malloc(sizeof(task) + (size_t)c->num_ops * sizeof(operation));
    t->of = c;
    t->num_ops = c->num_ops;
    memcpy(t->ops, c->ops, (size_t)c->num_ops * sizeof(operation));
    c->num_ops = 0;
    c->num_tasks++;
    pthread_mutex_unlock(&lock);
    int status = stream_call(stream, run_task, t);
    pthread_mutex_lock(&lock);
    if (status != kSuccess) {
        c->num_tasks--;
        pthread_cond_broadcast(&changed);
        free(t);
    }
    return status == kSuccess ? kSuccess : kInvalidUsage;
}

/* Holds the lock. */
static int begin(comm* c, void* stream) {
    c->is_stalled = c->rank == stalled_rank;
    if (stream_call && stream) return enqueue(c, stream);
    join(c);
    c->is_busy = 1;
    c->has_worker = pthread_create(&c->worker, NULL, work, c) == 0;
    return kInProgress;
}

NCCL_API int ncclGroupEnd(void) {
    pthread_mutex_lock(&lock);
    int status = called("ncclGroupEnd", "%s", "");
    if (status == kSuccess && --group_depth == 0 && group_comm) status = begin(group_comm, group_stream);
    if (status != kSuccess && status != kInProgress) group_depth = 0;
    group_comm = NULL;
    pthread_mutex_unlock(&lock);
    return status;
}

NCCL_API int ncclAllGather(void* from, void* to, size_t count, int type, comm* c, void* stream) {
    pthread_mutex_lock(&lock);
    int status = called("ncclAllGather", "%zu, %d, %d", count, type, c->rank);
    if (status == kSuccess) {
        join(c);
        group_depth++;
        for (int peer = 0; peer < c->in->size; peer++) {
            add(c, 1, from, count, peer, stream);
            add(c, 0, (char*)to + (size_t)peer * count, count, peer, stream);
        }
        group_depth--;
        group_comm = NULL;
        status = begin(c, stream);
    }
    pthread_mutex_unlock(&lock);
    return status;
}
