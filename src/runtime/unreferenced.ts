/** A timer that does not keep a Node process alive; elsewhere, the timer as it is. */
export function unreferenced<T extends ReturnType<typeof setTimeout>>(timer: T): T {
  if (typeof timer === 'object' && 'unref' in timer) timer.unref()
  return timer
}
