/* SPDX-License-Identifier: MIT */
/*
 * The whole C contract of drmbench: what Python may call and what it gets.
 *
 * This file is read twice, by the C compiler (through drmbench.h) and by cffi, so it
 * holds plain declarations only: no preprocessor line, nothing that is not C99.
 * Every quantity carries its unit in its name. Every function returns 0 (or a file
 * descriptor) or a negative errno; none of them prints, and none of them allocates
 * memory between two clock reads.
 */

/* ---- clock.c: one clock for the process, calibrated once ------------------------- */

enum drmbench_clock_source {
    DRMBENCH_CLOCK_BEST = 0,    /* the counter of this CPU where there is one */
    DRMBENCH_CLOCK_TSC = 1,     /* x86-64: lfence, rdtsc ... rdtscp, lfence */
    DRMBENCH_CLOCK_CNTVCT = 2,  /* aarch64: isb, cntvct_el0 */
    DRMBENCH_CLOCK_GETTIME = 3  /* any CPU: clock_gettime(CLOCK_MONOTONIC_RAW) */
};

struct drmbench_clock {
    int source;                 /* enum drmbench_clock_source, never BEST */
    int invariant;              /* 1: the counter's rate does not follow the CPU's frequency */
    double ns_per_tick;         /* measured against CLOCK_MONOTONIC_RAW */
    double overhead_ns;         /* median of empty start/stop pairs */
    double resolution_ns;       /* the step in which the counter moves */
};

/* Choose and calibrate the clock; window_ns is how long it is held against MONOTONIC_RAW.
 * -EINVAL: this CPU has no such source. */
int drmbench_clock_calibrate(int source, uint64_t window_ns, struct drmbench_clock *out);

/* Intervals of this process whose end was read before their start, as between CPUs whose counters differ: each
 * counts as no time. */
uint64_t drmbench_clock_backward_intervals(void);

/* The hypervisor's CPUID signature (12 characters and a NUL), empty on bare metal or where
 * the architecture has none. */
void drmbench_hypervisor_signature(char *out_13_bytes);

/* ---- build_facts.c: what was built with what ---------------------------------------- */

const char *drmbench_built_by(void);        /* the compiler and its version */
const char *drmbench_libdrm_built(void);    /* pkg-config's version of libdrm when this was built */
const char *drmbench_libdrm_path(void);     /* the libdrm that is loaded now, "" where that is not known */

/* ---- stage.c: one system call of a buffer's life, timed and its faults counted ---- */

struct drmbench_stage {
    uint64_t ns;                /* clock overhead already taken off */
    uint64_t minor_faults;      /* this thread's, from RUSAGE_THREAD around the call */
    uint64_t major_faults;
};

/* Returns what the ioctl returned, 0 or more. */
int drmbench_timed_ioctl(int fd, uint64_t request, void *argument, struct drmbench_stage *stage);
int drmbench_timed_open(const char *path, int flags, struct drmbench_stage *stage);
int drmbench_timed_memfd(const char *name, uint64_t size_bytes, int sealable,
                         struct drmbench_stage *stage);
int drmbench_timed_close(int fd, struct drmbench_stage *stage);
int drmbench_timed_mmap(uint64_t hint, uint64_t size_bytes, int prot, int flags, int fd,
                        uint64_t offset_bytes, uint64_t *address, struct drmbench_stage *stage);
int drmbench_timed_munmap(uint64_t address, uint64_t size_bytes, struct drmbench_stage *stage);
int drmbench_timed_madvise(uint64_t address, uint64_t size_bytes, int advice,
                           struct drmbench_stage *stage);
int drmbench_timed_mlock(uint64_t address, uint64_t size_bytes, struct drmbench_stage *stage);

/* ---- histogram.c: log-linear, 128 buckets an octave, so within 0.8 % -------------- */

enum drmbench_histogram_shape {
    DRMBENCH_HISTOGRAM_SUB_BITS = 7,
    DRMBENCH_HISTOGRAM_BUCKETS = 4864   /* values below 2^44 ticks; the last bucket takes the rest */
};

struct drmbench_histogram {
    uint64_t count;
    uint64_t min_ticks;
    uint64_t max_ticks;
    uint64_t sum_ticks;
    uint64_t bucket[4864];
};

void drmbench_histogram_clear(struct drmbench_histogram *histogram);
void drmbench_histogram_add(struct drmbench_histogram *histogram, uint64_t ticks);
/* The smallest number of ticks that falls into the bucket. */
uint64_t drmbench_histogram_lower_ticks(uint32_t bucket);

/* ---- touch.c: the accesses between two clock reads -------------------------------- */

enum drmbench_access {
    DRMBENCH_READ = 0,          /* load one byte */
    DRMBENCH_WRITE = 1,         /* store one byte */
    DRMBENCH_WRITE_NOTHING = 2  /* atomic OR with 0: a write access that changes no byte */
};

struct drmbench_span {
    uint64_t address;           /* of the mapping */
    uint64_t size_bytes;
    uint64_t page_bytes;
    const uint32_t *order;      /* page numbers in the order of the touches */
    uint64_t touches;           /* entries of order */
    int access;                 /* enum drmbench_access */
    uint32_t *touch_ticks;      /* touch_time() only: where each touch's ticks go, or NULL; 2^32 - 1 is that or more */
};

struct drmbench_stop {
    int signal_number;          /* SIGBUS or SIGSEGV that ended the pass, else 0 */
    int signal_code;            /* si_code */
    uint64_t address;           /* si_addr */
    uint64_t touches_done;
};

/* Count the faults of every single touch, untimed: faults[i] belongs to order[i] and stops
 * at 255. -EFAULT: a signal ended the pass, see stop. */
int drmbench_touch_count(const struct drmbench_span *span, uint8_t *faults,
                         struct drmbench_stop *stop);

/* child.c: the same in a forked child, which finds of the mapping what fork() copied. -ECHILD: the child died of
 * something else; -EAGAIN, -ENOMEM: there can be none. */
int drmbench_touch_count_in_child(const struct drmbench_span *span, uint8_t *faults,
                                  struct drmbench_stop *stop);

/* Time every single touch. Touch i goes to `faulted` where faults[i] is not 0, else to
 * `hit`; both are added to. stage->ns is the sum of the single times, less the clock's
 * overhead for each. */
int drmbench_touch_time(const struct drmbench_span *span, const uint8_t *faults,
                        struct drmbench_histogram *faulted, struct drmbench_histogram *hit,
                        struct drmbench_stage *stage, struct drmbench_stop *stop);

/* Touch everything inside one pair of clock reads. */
int drmbench_touch_sum(const struct drmbench_span *span, struct drmbench_stage *stage,
                       struct drmbench_stop *stop);

/* ---- window.c: one step between two ftrace markers, with nothing of Python's in it --- */

struct drmbench_window {
    int marker_fd;              /* tracefs' trace_marker; -1: no markers are written */
    const char *begin;
    const char *end;
};

int drmbench_window_mmap(const struct drmbench_window *window, uint64_t hint, uint64_t size_bytes, int prot,
                         int flags, int fd, uint64_t offset_bytes, uint64_t *address,
                         struct drmbench_stage *stage);
int drmbench_window_munmap(const struct drmbench_window *window, uint64_t address, uint64_t size_bytes,
                           struct drmbench_stage *stage);
/* As drmbench_touch_sum(). */
int drmbench_window_touch(const struct drmbench_window *window, const struct drmbench_span *span,
                          struct drmbench_stage *stage, struct drmbench_stop *stop);

/* ---- fault_samples.c: the faults of a touch pass by their addresses, from perf ------- */

struct drmbench_fault_samples {
    uint64_t inside;            /* faults whose address is in the span */
    uint64_t outside;
    uint64_t lost;              /* samples that perf had no room for */
};

/* Touch all of order; by_page[i] is added the faults of page i of the span, up to 255. What perf_event_open()
 * refuses with (EACCES, EPERM, ENOSYS...), or -EFAULT as the other touch passes. */
int drmbench_touch_sample(const struct drmbench_span *span, uint8_t *by_page,
                          struct drmbench_fault_samples *samples, struct drmbench_stop *stop);

/* ---- bandwidth.c: sweeps over a mapping whose pages are present, one way of access each ---- */

enum drmbench_sweep_operation {
    DRMBENCH_SWEEP_READ = 0,      /* load all of the mapping, and add its words up */
    DRMBENCH_SWEEP_WRITE = 1,     /* store value + i to word i of the mapping */
    DRMBENCH_SWEEP_FILL = 2,      /* store the lowest byte of value to each byte of the mapping */
    DRMBENCH_SWEEP_COPY_TO = 3,   /* from `outside` to the mapping */
    DRMBENCH_SWEEP_COPY_FROM = 4  /* from the mapping to `outside` */
};

enum drmbench_sweep_access {
    DRMBENCH_SWEEP_SCALAR = 0,       /* words of 8 bytes, each accessed once */
    DRMBENCH_SWEEP_VECTOR16 = 1,     /* 16 bytes: SSE2; NEON */
    DRMBENCH_SWEEP_VECTOR32 = 2,     /* 32 bytes: AVX2 */
    DRMBENCH_SWEEP_NONTEMPORAL = 3,  /* of the mapping: movntdqa, movntdq; ldnp, stnp */
    DRMBENCH_SWEEP_LIBC = 4          /* memcpy(), memset() */
};

struct drmbench_sweep {
    uint64_t address;           /* of the mapping; a multiple of 64, as are the next two */
    uint64_t size_bytes;        /* a multiple of 256 */
    uint64_t outside;           /* the other end of a copy, else 0; never guarded */
    uint64_t value;
    uint64_t times;             /* sweeps inside one pair of clock reads */
    int operation;              /* enum drmbench_sweep_operation */
    int access;                 /* enum drmbench_sweep_access */
};

/* 1 where this CPU has the instructions and the operation has this way of access, else 0. */
int drmbench_sweep_possible(int operation, int access);
/* Sweep. *sum: of a read, the words of one sweep added modulo 2^64, else 0. -EOPNOTSUPP: not
 * possible here; -EINVAL: a number that is no such multiple; -EFAULT: a signal ended it, see stop.
 * Stores that bypass the cache have drained (sfence, dmb) before the clock is read. */
int drmbench_sweep_time(const struct drmbench_sweep *sweep, uint64_t *sum,
                        struct drmbench_stage *stage, struct drmbench_stop *stop);

/* stream.c: STREAM's copy (c = a) and triad (a = b + 3 c) over three arrays of doubles, 16 bytes
 * at a time; addresses and size_bytes (of one array) are multiples of 64. Sets the arrays first. */
struct drmbench_stream {
    uint64_t a;
    uint64_t b;
    uint64_t c;
    uint64_t size_bytes;
};
int drmbench_stream_time(const struct drmbench_stream *stream, struct drmbench_stage *copy,
                         struct drmbench_stage *triad);
/* How many elements of the three arrays are not what those two must have left. */
uint64_t drmbench_stream_wrong(const struct drmbench_stream *stream);

/* ---- memory.c: a range of mapped memory, read or written whole under the guard ----- */

/* Each returns 0, or -EFAULT where a signal ended it: *stop says which one and where, and
 * stop->touches_done is the number of bytes before it. Memory is accessed in aligned words of
 * 8 bytes where address and size allow it, never otherwise than once. */
int drmbench_memory_read(uint64_t address, uint64_t size_bytes, uint8_t *out,
                         struct drmbench_stop *stop);
int drmbench_memory_write(uint64_t address, uint64_t size_bytes, const uint8_t *data,
                          struct drmbench_stop *stop);

/* The pattern of a seed: the word at byte `offset_bytes` of a buffer differs from its other
 * words and from other seeds', so a page in the wrong place shows. address, size and offset are
 * multiples of 8, else -EINVAL. */
int drmbench_memory_fill(uint64_t address, uint64_t size_bytes, uint64_t seed,
                         uint64_t offset_bytes, struct drmbench_stop *stop);
/* *equal_bytes: how many bytes from the start (whole words) hold the pattern; size_bytes: all. */
int drmbench_memory_compare(uint64_t address, uint64_t size_bytes, uint64_t seed,
                            uint64_t offset_bytes, uint64_t *equal_bytes,
                            struct drmbench_stop *stop);
/* *equal_bytes: how many bytes from the start are `byte`. */
int drmbench_memory_compare_byte(uint64_t address, uint64_t size_bytes, uint8_t byte,
                                 uint64_t *equal_bytes, struct drmbench_stop *stop);

/* ---- access.c: a list of such accesses, here or in a forked child ------------------- */

enum drmbench_access_action {
    DRMBENCH_ACCESS_FILL = 0,     /* store the pattern of `seed` */
    DRMBENCH_ACCESS_COMPARE = 1,  /* load, and compare with that pattern */
    DRMBENCH_ACCESS_ZERO = 2,     /* load, and compare with zeros */
    DRMBENCH_ACCESS_LOAD = 3      /* load a byte of each page, whatever it is */
};

struct drmbench_access_item {
    uint64_t address;           /* of whole pages of page_bytes each, as is size_bytes */
    uint64_t size_bytes;
    uint64_t page_bytes;
    uint64_t seed;              /* the pattern as it stands at offset_bytes of a buffer */
    uint64_t offset_bytes;
    int action;                 /* enum drmbench_access_action */
    /* Out: */
    int status;                 /* 0, or -EFAULT where signal_number ended it */
    int signal_number;
    uint64_t good_bytes;        /* before the signal or the first wrong word; else size_bytes */
    uint64_t faults;            /* minor and major, of the thread that accessed */
};

/* Every item in order, also behind one that a signal ended. */
void drmbench_access_all(struct drmbench_access_item *items, uint64_t count);
/* The same in a forked child. -ECHILD: it died of something else; -EAGAIN, -ENOMEM: there can be none. */
int drmbench_access_all_in_child(struct drmbench_access_item *items, uint64_t count);

/* ---- crew.c, crew_member.c, crew_pass.c: workers that touch at the same time, each on its CPU ------- */

enum drmbench_crew_kind {
    DRMBENCH_THREADS = 0,
    DRMBENCH_PROCESSES = 1      /* forked: each finds the mappings that this process has */
};

enum drmbench_crew_pass {
    DRMBENCH_PASS_WHOLE = 0,    /* one clock read before all touches and one behind them */
    DRMBENCH_PASS_SINGLE = 1    /* each touch timed alone, its faults counted outside its two clock reads */
};

struct drmbench_worker {
    uint64_t address;           /* of the mapping */
    uint64_t page_bytes;
    uint64_t first_page;        /* touches pages first_page, first_page + 1, ... */
    uint64_t touches;
    int access;                 /* enum drmbench_access */
    int cpu;                    /* pinned to it; -1: left alone */
    /* Out: */
    int status;                 /* 0, -EFAULT (see stop), -ECHILD (see wait_status), -ECANCELED where another
                                   worker failed, or why it could not be pinned */
    int wait_status;            /* of a process that died, as waitpid() has it */
    int process;                /* its pid, 0 for a thread */
    struct drmbench_stop stop;
    uint64_t begin_ns;          /* CLOCK_MONOTONIC_RAW, the same on every CPU */
    uint64_t end_ns;
    struct drmbench_stage stage; /* its faults; ns: the sum of the single touches, else end_ns - begin_ns */
    struct drmbench_histogram faulted; /* filled by PASS_SINGLE */
    struct drmbench_histogram hit;
    uint8_t own[64];            /* touched before the start, so that what is ours has faulted by then */
    int state;
};

struct drmbench_crew;

/* Memory for `count` workers, shared with those that are forked: fill them in, then start. -ENOMEM, -EINVAL. */
int drmbench_crew_make(int kind, int pass, uint32_t count, struct drmbench_crew **crew);
struct drmbench_worker *drmbench_crew_worker(struct drmbench_crew *crew, uint32_t number);
/* Makes them; each warms up and waits. -EAGAIN, -ENOMEM: some could not be made. */
int drmbench_crew_start(struct drmbench_crew *crew);
/* Lets them go once all are ready; 0: all have ended, well or not. -EAGAIN: not within wait_ns. */
int drmbench_crew_wait(struct drmbench_crew *crew, uint64_t wait_ns);
/* Stops those that still run, and frees all. -ETIMEDOUT: a thread hangs in the kernel and keeps its memory. */
int drmbench_crew_end(struct drmbench_crew *crew);
