package io.cortado.engine;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Weighted fair sharing by virtual token counters (Sheng et al. 2023, arXiv 2401.00588): the tenant
 * that has been served least comes first, within a tenant the order of arrival. A prompt token that
 * is computed counts 1, a generated token 2, over the tenant's weight. A tenant that comes back, or
 * is new, starts at the least counter of those that are there: it gets no credit for absence.
 */
final class FairQueue implements AdmissionQueue {
    private static final double PROMPT_TOKEN = 1;
    private static final double GENERATED_TOKEN = 2;

    /** One tenant with requests in the engine. */
    static final class Tenant {
        private final String name;
        private final double weight;
        private double counter;

        /** The counter when the tenant was placed in the heap; the true one is never less. */
        private double placedAt;

        private int live;
        private int heapIndex;
        private @Nullable Sequence first;
        private @Nullable Sequence last;

        private Tenant(String name, double weight, double counter) {
            this.name = name;
            this.weight = weight;
            this.counter = counter;
        }
    }

    private final Map<String, Double> weights;
    private final Map<String, Tenant> tenants = new HashMap<>();

    /** Tenants with waiting sequences, the least {@link Tenant#placedAt} first. */
    private Tenant[] heap = new Tenant[16];

    private int heapSize;
    private final @Nullable Tenant[] passed = new @Nullable Tenant[SCAN];
    private int numPassed;
    private @Nullable Tenant looked;
    private int size;

    /** The least counter of a tenant at its last turn: where newcomers start. */
    private double floor;

    /**
     * @param weights by tenant; others have 1
     */
    FairQueue(Map<String, Double> weights) {
        this.weights = Map.copyOf(weights);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void add(Sequence sequence) {
        Tenant tenant = sequence.tenant;
        if (tenant == null) {
            tenant = tenants.computeIfAbsent(sequence.request.tenant, this::newTenant);
            sequence.tenant = tenant;
            tenant.live++;
        }
        link(tenant, sequence);
        size++;
        if (tenant.first == tenant.last) {
            push(tenant);
        }
    }

    private Tenant newTenant(String name) {
        return new Tenant(name, weights.getOrDefault(name, 1.0), floor);
    }

    @Override
    public boolean remove(Sequence sequence) {
        Tenant tenant = sequence.tenant;
        if (tenant == null || !sequence.isQueued) {
            return false;
        }
        unlink(tenant, sequence);
        size--;
        if (tenant.first == null) {
            removeAt(tenant.heapIndex);
        }
        return true;
    }

    @Override
    public void begin() {
        numPassed = 0;
        looked = null;
    }

    @Override
    public @Nullable Sequence next() {
        if (looked != null) { // not taken: its tenant waits for the end of the look
            passed[numPassed++] = looked;
            removeAt(looked.heapIndex);
            looked = null;
        }
        if (heapSize == 0 || numPassed == SCAN) {
            return null;
        }
        looked = least();
        return looked.first;
    }

    @Override
    public void take() {
        Tenant tenant = Objects.requireNonNull(looked);
        floor = Math.max(floor, tenant.counter);
        looked = null;
        remove(Objects.requireNonNull(tenant.first));
    }

    @Override
    public void end() {
        looked = null;
        while (numPassed > 0) {
            Tenant tenant = Objects.requireNonNull(passed[--numPassed]);
            passed[numPassed] = null;
            push(tenant);
        }
    }

    @Override
    public void admitted(Sequence sequence, int promptTokens) {
        Tenant tenant = Objects.requireNonNull(sequence.tenant);
        tenant.counter += PROMPT_TOKEN * promptTokens / tenant.weight;
    }

    @Override
    public void generated(Sequence sequence) {
        Tenant tenant = Objects.requireNonNull(sequence.tenant);
        tenant.counter += GENERATED_TOKEN / tenant.weight;
    }

    @Override
    public void ended(Sequence sequence) {
        Tenant tenant = sequence.tenant;
        if (tenant != null && --tenant.live == 0) {
            tenants.remove(tenant.name);
        }
    }

    /** The tenant that was served most. */
    @Override
    public long victimRank(Sequence sequence) {
        return (long) Objects.requireNonNull(sequence.tenant).counter;
    }

    /** Counters only grow: a tenant that has moved on sinks when it comes up. */
    private Tenant least() {
        while (heap[0].placedAt < heap[0].counter) {
            heap[0].placedAt = heap[0].counter;
            siftDown(heap[0], 0);
        }
        return heap[0];
    }

    /** In the order of arrival: what was thrown out goes before what never ran. */
    private static void link(Tenant tenant, Sequence sequence) {
        Sequence before = tenant.last;
        while (before != null && before.order > sequence.order) {
            before = before.queuedBefore;
        }
        Sequence after = before == null ? tenant.first : before.queuedAfter;
        sequence.queuedBefore = before;
        sequence.queuedAfter = after;
        sequence.isQueued = true;
        if (before == null) {
            tenant.first = sequence;
        } else {
            before.queuedAfter = sequence;
        }
        if (after == null) {
            tenant.last = sequence;
        } else {
            after.queuedBefore = sequence;
        }
    }

    private static void unlink(Tenant tenant, Sequence sequence) {
        Sequence before = sequence.queuedBefore;
        Sequence after = sequence.queuedAfter;
        if (before == null) {
            tenant.first = after;
        } else {
            before.queuedAfter = after;
        }
        if (after == null) {
            tenant.last = before;
        } else {
            after.queuedBefore = before;
        }
        sequence.queuedBefore = null;
        sequence.queuedAfter = null;
        sequence.isQueued = false;
    }

    private void push(Tenant tenant) {
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, 2 * heap.length);
        }
        tenant.placedAt = tenant.counter;
        siftUp(tenant, heapSize++);
    }

    private void removeAt(int index) {
        Tenant last = heap[--heapSize];
        if (index < heapSize) {
            siftDown(last, index);
            if (heap[index] == last) {
                siftUp(last, index);
            }
        }
    }

    private void siftUp(Tenant tenant, int index) {
        int i = index;
        while (i > 0 && tenant.placedAt < heap[(i - 1) / 2].placedAt) {
            place(heap[(i - 1) / 2], i);
            i = (i - 1) / 2;
        }
        place(tenant, i);
    }

    private void siftDown(Tenant tenant, int index) {
        int i = index;
        while (2 * i + 1 < heapSize) {
            int child = 2 * i + 1;
            if (child + 1 < heapSize && heap[child + 1].placedAt < heap[child].placedAt) {
                child++;
            }
            if (heap[child].placedAt >= tenant.placedAt) {
                break;
            }
            place(heap[child], i);
            i = child;
        }
        place(tenant, i);
    }

    private void place(Tenant tenant, int index) {
        heap[index] = tenant;
        tenant.heapIndex = index;
    }
}
