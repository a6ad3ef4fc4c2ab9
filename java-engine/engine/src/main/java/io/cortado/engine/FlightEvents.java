package io.cortado.engine;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/**
 * The events that a JDK Flight Recorder recording of an engine holds. One object of each kind is
 * used again and again, by the loop alone: nothing is allocated, and nothing is filled while no
 * recording wants it.
 */
final class FlightEvents {
    final Step step = new Step();
    final Started started = new Started();
    final FirstToken firstToken = new FirstToken();
    final Ended ended = new Ended();
    final Preempted preempted = new Preempted();
    final CacheHit cacheHit = new CacheHit();
    final CacheMove cacheMove = new CacheMove();

    @Name("io.cortado.Step")
    @Label("Step")
    @Category("Cortado")
    @Description("A batch that has run")
    @StackTrace(false)
    static final class Step extends Event {
        @Label("Sequences")
        int sequences;

        @Label("Tokens")
        int tokens;

        @Label("Prompt Tokens")
        int promptTokens;

        @Label("Draft Tokens")
        int drafts;

        @Label("Waiting Sequences")
        int waiting;

        @Label("Device Time")
        @Timespan(Timespan.NANOSECONDS)
        long deviceTime;

        @Label("Host Time")
        @Description("Work of the loop itself since the last step")
        @Timespan(Timespan.NANOSECONDS)
        long hostTime;
    }

    @Name("io.cortado.RequestStarted")
    @Label("Request Started")
    @Category("Cortado")
    @Description("A request waits no longer")
    @StackTrace(false)
    static final class Started extends Event {
        @Label("Request")
        long request;

        @Label("Prompt Tokens")
        int promptTokens;

        @Label("Queued")
        @Timespan(Timespan.NANOSECONDS)
        long queued;
    }

    @Name("io.cortado.FirstToken")
    @Label("First Token")
    @Category("Cortado")
    @StackTrace(false)
    static final class FirstToken extends Event {
        @Label("Request")
        long request;

        @Label("Time to First Token")
        @Timespan(Timespan.NANOSECONDS)
        long timeToFirstToken;
    }

    @Name("io.cortado.RequestEnded")
    @Label("Request Ended")
    @Category("Cortado")
    @Description("A request has ended, and what it has cost")
    @StackTrace(false)
    static final class Ended extends Event {
        @Label("Request")
        long request;

        @Label("Outcome")
        String outcome = "";

        @Label("Output Tokens")
        int outputTokens;

        @Label("Draft Tokens")
        int draftTokens;

        @Label("Accepted Draft Tokens")
        int acceptedDraftTokens;

        @Label("Cached Tokens")
        int cachedTokens;

        @Label("Preemptions")
        int preemptions;

        @Label("Latency")
        @Timespan(Timespan.NANOSECONDS)
        long latency;

        @Label("Device Time")
        @Timespan(Timespan.NANOSECONDS)
        long deviceTime;

        @Label("KV Byte Seconds")
        double kvByteSeconds;
    }

    @Name("io.cortado.Preemption")
    @Label("Preemption")
    @Category("Cortado")
    @Description("A running sequence was thrown out for want of KV blocks")
    @StackTrace(false)
    static final class Preempted extends Event {
        @Label("Request")
        long request;

        @Label("Computed Tokens")
        @Description("Tokens whose blocks it gave back")
        int computedTokens;
    }

    @Name("io.cortado.CacheHit")
    @Label("Cache Hit")
    @Category("Cortado")
    @Description("A sequence starts with tokens that the prefix cache holds")
    @StackTrace(false)
    static final class CacheHit extends Event {
        @Label("Request")
        long request;

        @Label("Tokens")
        int tokens;

        @Label("Tokens from Host Memory")
        int hostTokens;
    }

    @Name("io.cortado.CacheMove")
    @Label("Cache Move")
    @Category("Cortado")
    @Description("What the choice of a step moved between the device and host memory")
    @StackTrace(false)
    static final class CacheMove extends Event {
        @Label("Evicted Blocks")
        long evicted;

        @Label("Blocks to Host Memory")
        int toHost;

        @Label("Blocks from Host Memory")
        int fromHost;
    }

    /** Made anew for each: it is rare, and not the loop's. */
    @Name("io.cortado.StuckStep")
    @Label("Stuck Step")
    @Category("Cortado")
    @Description("A step that has taken half of its limit, or all of it")
    @StackTrace(false)
    static final class StuckStep extends Event {
        @Label("Age")
        @Timespan(Timespan.NANOSECONDS)
        long age;

        @Label("Given Up")
        @Description("The engine has ended because of it")
        boolean isGivenUp;

        @Label("Content")
        String content = "";
    }
}
