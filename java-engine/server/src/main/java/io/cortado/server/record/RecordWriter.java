package io.cortado.server.record;

import io.cortado.server.JsonOut;
import io.cortado.server.ReportJson;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Writes a recording: JSON lines, a head and then two lines a request, one when it came and one
 * when it ended. The file is new and its owner's alone, since it holds what users asked. Any
 * thread. A full disk ends the recording, not the serving.
 */
final class RecordWriter implements AutoCloseable {
    private final Path file;
    private final BufferedWriter out;
    private final ReentrantLock lock = new ReentrantLock();
    private boolean isBroken;

    RecordWriter(Path file, RecordHeader header) throws IOException {
        this.file = file;
        boolean hasOwners =
                FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] mode =
                hasOwners
                        ? new FileAttribute<?>[] {
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rw-------"))
                        }
                        : new FileAttribute<?>[0];
        FileChannel channel =
                FileChannel.open(
                        file,
                        Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
                        mode);
        out =
                new BufferedWriter(
                        new OutputStreamWriter(
                                Channels.newOutputStream(channel), StandardCharsets.UTF_8));
        line(header.json());
    }

    void arrived(RecordedRequest request) {
        JsonOut json = new JsonOut().open().field("request", request.number());
        json.field("id", request.request().id());
        json.name("at_ms").value(request.arrivalMillis());
        json.name("prompt_ids").ints(request.promptIds());
        json.name("echo").value(request.request().echo());
        ParamsJson.write(json.name("params"), request.request().params());
        ParamsJson.write(json.name("scheduling"), request.request().scheduling());
        line(json.close().toString());
    }

    void ended(long number, RecordedRequest.Outcome outcome) {
        JsonOut json = new JsonOut().open().field("result", number).name("outputs").openArray();
        for (RecordedRequest.Output output : outcome.outputs()) {
            json.open().name("ids").ints(output.ids()).field("finish", output.finish()).close();
        }
        json.closeArray().field("error", outcome.error()).name("report");
        if (outcome.report() == null) {
            json.nullValue();
        } else {
            ReportJson.write(json, outcome.report());
        }
        line(json.close().toString());
    }

    /** Flushed at once: a recording is most wanted of a process that did not end well. */
    private void line(String json) {
        lock.lock();
        try {
            if (!isBroken) {
                out.write(json);
                out.write('\n');
                out.flush();
            }
        } catch (IOException e) {
            isBroken = true;
            System.err.println("the recording has ended: " + file + ": " + e.getMessage());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            isBroken = true;
            out.close();
        } catch (IOException e) {
            System.err.println("the recording is cut: " + file + ": " + e.getMessage());
        } finally {
            lock.unlock();
        }
    }
}
