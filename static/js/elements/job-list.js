// <job-list> shows files on their way into the record.

import { importPage } from "../addresses.js";
import { reduceJobs } from "../dashboard.js";
import { count } from "../sums.js";
import { LiveList, part, showStatus } from "./live-list.js";

class JobList extends LiveList {
  reduce(jobs, frame) {
    return reduceJobs(jobs, frame);
  }

  fill(row, job) {
    showStatus(row, job.status);
    const link = part(row, "kind");
    link.textContent = job.kind ? `Import of ${job.kind}` : "Import";
    link.href = importPage(job.id);
    part(row, "progress").value = job.percentage;
    part(row, "figures").textContent = [
      `${count(job.new)} new`,
      `${count(job.known)} known`,
      `${count(job.repaired)} repaired`,
      `${count(job.failed)} bad`,
    ].join(" · ");
  }
}

customElements.define("job-list", JobList);
