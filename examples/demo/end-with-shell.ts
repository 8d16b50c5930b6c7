/**
 * `npm run` starts the demo from a shell, which it ends without a word to the demo: the demo ends
 * when that shell is gone. Started by itself, it may outlive whoever started it.
 */
export function endWithShell(end: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return
  const shell = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(timer)
    end()
  }, 500)
  timer.unref()
}
