package io.cortado.bench.chaos;

import io.cortado.bench.chaos.Tally.End;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One client: request after request, on connections that it keeps where it can. */
final class Client implements Runnable {
    private static final int SMALL_RECEIVE_BUFFER = 4096;
    private static final int STALL_LOOK_MS = 200;
    private static final int DRAIN_MS = 30_000;
    private static final int RETRY_MS = 150;

    private final Load load;
    private final Mix mix;
    private final int number;
    private @Nullable HttpSocket socket;
    private int asked;

    Client(Load load, Mix mix, int number) {
        this.load = load;
        this.mix = mix;
        this.number = number;
    }

    @Override
    public void run() {
        try {
            End end = End.ANSWERED;
            while (load.goesOn() && end != End.NOT_TAKEN) { // else the server is gone
                if (end == End.QUEUE_FULL) {
                    Thread.sleep(RETRY_MS);
                }
                end = next();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            drop(false);
        }
    }

    private End next() throws InterruptedException {
        load.enter();
        try {
            Ask ask = mix.next();
            load.tally().sent();
            End end = ask(ask);
            load.tally().ended(ask.kind(), end);
            return end;
        } finally {
            load.leave();
        }
    }

    /** One request and its end. */
    private End ask(Ask ask) throws InterruptedException {
        String id = "c" + number + "-" + asked++;
        boolean isHeadRead = false;
        try {
            HttpSocket on = connected(ask);
            if (on.hasUnread()) {
                return wrong(ask, "bytes came that nobody asked for");
            }
            String text = ask.raw().apply(id);
            if (ask.manner() == Ask.Manner.HALF) {
                on.send(text.substring(0, text.length() / 2));
                drop(false);
                return End.LEFT;
            }
            on.send(text);
            if (leavesAtOnce(ask)) {
                drop(ask.manner() == Ask.Manner.RESET);
                return End.LEFT;
            }
            HttpSocket.Head head = on.readHead();
            isHeadRead = true;
            if (ask.manner() == Ask.Manner.STALL && head.isStream()) {
                load.tally().answered(head.header("x-cortado-request-id"));
                return stall(on, ask);
            }
            End end = answered(on, ask, id, head);
            if (head.closes()) {
                drop(false);
            }
            return end;
        } catch (HttpSocket.CutException e) {
            return broken(ask, true, e);
        } catch (IOException e) {
            return broken(ask, isHeadRead, e);
        } catch (RuntimeException e) { // what came is no JSON, or not of our form
            drop(false);
            return wrong(ask, e.toString());
        }
    }

    private HttpSocket connected(Ask ask) throws IOException {
        HttpSocket on = socket;
        if (on != null && (on.isClosed() || ask.manner() == Ask.Manner.STALL)) {
            drop(false);
            on = null;
        }
        if (on == null) {
            int buffer = ask.manner() == Ask.Manner.STALL ? SMALL_RECEIVE_BUFFER : 0;
            on = HttpSocket.open(load.port(), buffer);
            socket = on;
            load.watch(on);
        }
        return on;
    }

    private static boolean leavesAtOnce(Ask ask) {
        return ask.events() == 0
                && (ask.manner() == Ask.Manner.LEAVE || ask.manner() == Ask.Manner.RESET);
    }

    private End answered(HttpSocket on, Ask ask, String id, HttpSocket.Head head)
            throws IOException {
        load.tally().answered(head.header("x-cortado-request-id"));
        String echoed = head.header("x-client-request-id");
        if (!echoed.isEmpty() && !echoed.equals(id)) {
            return wrong(ask, "the answer is another request's: " + echoed + " for " + id);
        }
        if (head.isStream()) {
            return stream(on, ask);
        }
        String body = on.readBody(head);
        if (head.status() == 200 && ask.statuses().contains(200)) {
            String fault = Judge.whole(body, ask.answers());
            return fault.isEmpty() ? compared(ask, body) : wrong(ask, fault + ": " + body);
        }
        return refused(ask, head, body);
    }

    private End compared(Ask ask, String body) {
        Canary canary = ask.canary();
        if (canary == null) {
            return End.ANSWERED;
        }
        String told = Judge.essence(body);
        if (!told.equals(canary.expected())) {
            return wrong(
                    ask,
                    "canary %s: %s instead of %s"
                            .formatted(canary.name(), told, canary.expected()));
        }
        load.tally().canaryWasRight();
        return End.ANSWERED;
    }

    private End refused(Ask ask, HttpSocket.Head head, String body) {
        String code = Judge.errorCode(body);
        if (code.isEmpty()) {
            return wrong(ask, "status " + head.status() + " without an error: " + body);
        }
        if (head.status() == 503 && load.isTerminating()) {
            return End.SHUT_DOWN;
        }
        if (head.status() == 429) {
            boolean isRight = !head.header("retry-after").isEmpty();
            return isRight ? End.QUEUE_FULL : wrong(ask, "429 without Retry-After: " + body);
        }
        return ask.statuses().contains(head.status())
                ? End.REFUSED
                : wrong(ask, "status " + head.status() + ": " + body);
    }

    private End stream(HttpSocket on, Ask ask) throws IOException {
        List<String> all = new ArrayList<>();
        while (true) {
            if (ask.events() > 0 && all.size() >= ask.events()) {
                drop(ask.manner() == Ask.Manner.RESET);
                return End.LEFT;
            }
            List<String> events = on.readEvents();
            if (events.isEmpty()) {
                break;
            }
            all.addAll(events);
        }
        if (Judge.isError(all)) {
            return load.isTerminating()
                    ? End.SHUT_DOWN
                    : wrong(ask, "the stream ends by " + all.getLast());
        }
        String fault = Judge.stream(all, ask.answers());
        return fault.isEmpty() ? End.ANSWERED : wrong(ask, fault);
    }

    /**
     * Reads nothing for longer than the server waits, then what is left on the way: an answer that
     * is cut, unless so little came of it until then that nobody had to wait.
     */
    private End stall(HttpSocket on, Ask ask) throws InterruptedException {
        long until = System.nanoTime() + load.stallNanos();
        while (System.nanoTime() < until && !load.isHolding() && !load.isTerminating()) {
            Thread.sleep(STALL_LOOK_MS);
        }
        boolean leaves = load.isHolding() || load.isTerminating();
        boolean isWhole = false;
        try {
            isWhole = !leaves && on.drain(DRAIN_MS);
        } catch (SocketTimeoutException e) {
            return wrong(ask, "a client that does not read is neither served nor given up");
        } catch (IOException e) { // a reset: the same as an end
        }
        drop(false);
        return leaves || isWhole ? End.LEFT : End.GIVEN_UP;
    }

    private End broken(Ask ask, boolean isBegun, IOException e) {
        drop(false);
        if (load.isCutting()) {
            return End.LEFT;
        }
        if (load.isTerminating() && !isBegun) {
            return End.NOT_TAKEN;
        }
        String where = isBegun ? "in its answer" : "before its answer";
        return wrong(ask, "the connection broke " + where + ": " + e);
    }

    private End wrong(Ask ask, String what) {
        String shown = what.length() > 400 ? what.substring(0, 400) + "..." : what;
        load.tally().violation(ask.kind() + ": " + shown);
        drop(false);
        return End.WRONG;
    }

    private void drop(boolean byReset) {
        HttpSocket on = socket;
        socket = null;
        if (on == null) {
            return;
        }
        load.unwatch(on);
        try {
            if (byReset) {
                on.reset();
            } else {
                on.close();
            }
        } catch (IOException e) { // it is gone already
        }
    }
}
