/** What KafkaJS's event of a join tells beside the assignment, as far as the assigners of this member see it. */

export class GroupJoin {
  #begunMs = Date.now()
  #isLeader = false
  #protocol = ''

  begins(): void {
    this.#begunMs = Date.now()
    this.#isLeader = false
  }

  leads(): void {
    this.#isLeader = true
  }

  ends(protocol: string): void {
    this.#protocol = protocol
  }

  toldBy(memberId: string) {
    return {
      duration: Date.now() - this.#begunMs,
      isLeader: this.#isLeader,
      leaderId: this.#isLeader ? memberId : '',
      groupProtocol: this.#protocol,
    }
  }
}
