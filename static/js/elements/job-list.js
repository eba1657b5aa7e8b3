// <job-list> shows files on their way into the record.

import { importPage } from "../addresses.js";
import { reduceJobs } from "../dashboard.js";
import { thousands } from "../figures.js";
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
      `${thousands(job.new)} new`,
      `${thousands(job.known)} known`,
      `${thousands(job.repaired)} repaired`,
      `${thousands(job.failed)} bad`,
    ].join(" · ");
  }
}

customElements.define("job-list", JobList);
