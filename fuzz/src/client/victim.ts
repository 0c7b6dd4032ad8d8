/** The process in which the client lives, so that its memory and its end are its own. Orders come from the parent, reports go there. */
import type { RoundOrder, RoundReport } from './messages.ts'
import { Workload } from './workload.ts'

process.on('message', (order: RoundOrder) => {
  void new Workload(order).run().then((report: RoundReport) => process.send!(report))
})
// Without the channel nothing of this process is left: whatever keeps it alive then is a handle that leaks.
