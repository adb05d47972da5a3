/** Two threads take two monitors in opposite order; only a dump from inside tells which. */
public class Monitors {
    private static final Object A = new Object();
    private static final Object B = new Object();

    private static void take(Object first, Object second, java.util.concurrent.CyclicBarrier both) {
        synchronized (first) {
            try {
                both.await();
            } catch (Exception broken) {
                throw new IllegalStateException(broken);
            }
            synchronized (second) {
                System.out.println("both taken");
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        var line = "java " + ProcessHandle.current().pid() + "\n";
        var roles = java.nio.file.Path.of(System.getenv("SCENARIO_ROLES"));
        var append = java.nio.file.StandardOpenOption.APPEND;
        java.nio.file.Files.writeString(roles, line, java.nio.file.StandardOpenOption.CREATE, append);
        var both = new java.util.concurrent.CyclicBarrier(2);
        var one = new Thread(() -> take(A, B, both));
        var other = new Thread(() -> take(B, A, both));
        one.start();
        other.start();
        one.join();
        other.join();
    }
}
