rule simulate_central_path:
    output:
        f"{RESULTS}/theory/{{system}}.csv",
    log:
        f"{LOGS}/theory/{{system}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=lambda wildcards: flags(STUDY.theory[wildcards.system]),
        code=code("simulate_central_path"),
        environment=pins("steps.simulate_central_path"),
    message:
        "Simulate the central path of {wildcards.system}"
    shell:
        STEP + "simulate-central-path {params.settings} --output {output} > {log} 2>&1"
