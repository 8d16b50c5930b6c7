/**
 * Loaded into each process of the demo: when the demo is gone, however it went, the process ends as
 * by SIGTERM.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
